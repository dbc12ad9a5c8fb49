# One design of designs/matchit.json as a call of MatchIt (4.6 or later; 4.5.1 is wrong).

suppressPackageStartupMessages(library(MatchIt))
stopifnot(packageVersion("MatchIt") >= "4.6.0")

columns_formula <- function(x) if (length(x)) reformulate(unlist(x)) else NULL

# `balance`: optional data frame of columns whose balance summary() shall report.
run_match <- function(data, design, balance = NULL) {
  caliper <- c(unlist(design$caliper), unlist(design$covariate_caliper))
  if (length(caliper)) {
    names(caliper) <- c(rep("", length(design$caliper)), names(design$covariate_caliper))
  }
  rownames(data) <- data$id
  shown <- if (is.null(balance)) data["lp"] else balance
  data <- cbind(data, setNames(shown, paste0("b__", seq_along(shown))))
  call <- list(
    formula = reformulate(paste0("b__", seq_along(shown)), "treat"), data = data,
    method = "nearest", distance = data$lp, estimand = toupper(design$estimand),
    replace = design$replace, ratio = design$ratio, m.order = design$order,
    reuse.max = design$reuse_max, caliper = caliper, std.caliper = FALSE,
    exact = columns_formula(design$exact), antiexact = columns_formula(design$antiexact),
    mahvars = columns_formula(design$mahalanobis), unit.id = columns_formula(design$unit_id),
    min.controls = design$min_controls, max.controls = design$max_controls)
  suppressWarnings(do.call(matchit, call[!vapply(call, is.null, TRUE)]))
}

# Pairs of a match: one row a pair, k = 1 for the pair made first (with replacement: the nearest).
pair_list <- function(match, design) {
  mm <- match$match.matrix
  focal <- rep(rownames(mm), ncol(mm))
  k <- rep(seq_len(ncol(mm)), each = nrow(mm))
  partner <- as.vector(mm)
  kept <- !is.na(partner)
  pairs <- data.frame(focal = as.integer(focal), k = k, partner = as.integer(partner))[kept, ]
  pairs <- pairs[order(pairs$focal, pairs$k), ]
  att <- design$estimand == "att"
  data.frame(config = rep(design$name, nrow(pairs)),
             treated_id = if (att) pairs$focal else pairs$partner, k = pairs$k,
             control_id = if (att) pairs$partner else pairs$focal)
}
