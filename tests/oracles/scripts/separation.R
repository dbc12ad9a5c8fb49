# Which coefficients are infinite: detectseparation's verdicts on the seeded designs and on
# tables from the literature.
# Usage: Rscript scripts/separation.R . results     (from the folder of the oracles)
args <- commandArgs(trailingOnly = TRUE)
if (length(args) != 2) stop("usage: Rscript scripts/separation.R ROOT OUT")
source(file.path(args[1], "scripts", "common.R"))
suppressPackageStartupMessages({
  library(detectseparation)
  library(lpSolveAPI)
})
root <- args[1]

# The directions along which the likelihood never falls form a cone. `cone_range` gives each
# coefficient's smallest and largest value over the cone within the box from -1 to 1; with `total`
# the range over those directions of the box whose summed margin is the largest (the optimum of
# the linear programme of Konis 2007).
cone_range <- function(signed, total = FALSE) {
  p <- ncol(signed)
  optimise <- function(objective, sense, floor = NULL) {
    lp <- make.lp(0, p)
    invisible(lp.control(lp, sense = sense))
    for (i in seq_len(nrow(signed))) add.constraint(lp, signed[i, ], ">=", 0)
    if (!is.null(floor)) add.constraint(lp, colSums(signed), ">=", floor)
    set.bounds(lp, lower = rep(-1, p), upper = rep(1, p))
    set.objfn(lp, objective)
    if (solve(lp) != 0) stop("no solution")
    get.objective(lp)
  }
  floor <- if (total) optimise(colSums(signed), "max") * (1 - 1e-9)
  sapply(seq_len(p), function(j) {
    unit <- replace(numeric(p), j, 1)
    c(optimise(unit, "min", floor), optimise(unit, "max", floor))
  })
}

verdict <- function(X, y, ...) {
  control <- detect_separation_control(separation_type = TRUE, ...)
  found <- detect_separation(X, y, family = binomial(), control = control)
  list(separated = found$outcome, complete = isTRUE(found$complete),
       coefficients = found$coefficients)
}

inspect <- function(name, data, columns, categorical, response, source) {
  X <- design_matrix(data, columns, categorical)
  y <- data[[response]]
  kept <- qr(X, tol = 1e-11)$pivot[seq_len(qr(X, tol = 1e-11)$rank)]
  dropped <- colnames(X)[-kept]
  if (length(kept) == ncol(X)) dropped <- character()
  X <- X[, sort(kept), drop = FALSE]
  found <- verdict(X, y)
  others <- list(verdict(X, y, implementation = "lpSolveAPI", linear_program = "primal"),
                 verdict(X, y, implementation = "lpSolveAPI", linear_program = "dual"))
  signed <- (2 * y - 1) * X
  range <- cone_range(signed)
  unique <- !found$separated || max(apply(cone_range(signed, total = TRUE), 2, diff)) < 1e-4
  below <- range[1, ] < -1e-7
  above <- range[2, ] > 1e-7
  cone <- ifelse(below & above, "either", ifelse(above, "inf", ifelse(below, "-inf", "0")))
  list(name = name, table = source, response = response, columns = as.list(columns),
       categorical = as.list(categorical), rows = nrow(X), events = sum(y),
       separated = found$separated, complete = found$separated && found$complete,
       coefficients = named(sub("Inf", "inf", found$coefficients), colnames(X)),
       cone = named(cone, colnames(X)), unique = unique, dropped = as.list(dropped),
       solvers_agree = all(vapply(others, function(o)
         identical(unname(o$coefficients), unname(found$coefficients)), TRUE)))
}

long <- read_table(root, "tables/separation.csv.gz")
seeded <- lapply(split(long, long$design), function(data) {
  used <- names(data)[!vapply(data, function(x) all(is.na(x)), TRUE)]
  columns <- setdiff(used, c("design", "y"))
  inspect(data$design[1], data, columns, intersect(columns, c("u", "v")), "y",
          "tables/separation.csv.gz")
})
designs <- fromJSON(file.path(root, "designs", "separation.json"), simplifyVector = FALSE)
known <- lapply(designs, function(d) {
  data <- read_table(root, d$table)
  if (!is.null(d$weights)) data <- data[data[[d$weights]] > 0, ]
  found <- inspect(d$name, data, unlist(d$columns), as.character(unlist(d$categorical)),
                   d$response, d$table)
  if (is.null(d$weights)) found else c(found, d["weights"])
})
results <- c(known, unname(seeded))
count <- function(what) sum(vapply(results, what, TRUE))
differs <- function(r) any(unlist(r$coefficients) != unlist(r$cone))
cat(length(results), "designs;", count(function(r) r$separated), "separated;",
    count(function(r) r$complete), "complete;", count(function(r) !r$unique), "not unique;",
    count(function(r) !r$solvers_agree), "where solvers differ;",
    count(differs), "where the cone says more\n")
write_result(list(what = "infinite maximum likelihood estimates",
  versions = versions(c("detectseparation", "ROI", "lpSolveAPI", "jsonlite")),
  inputs = input_hashes(root, sapply(results, `[[`, "table")), designs = results),
  file.path(args[2], "separation.json.gz"))
