# Write 260 seeded designs, small and often separated, as one long table.
# Usage: Rscript scripts/make_separation.R . tables     (from the folder of the oracles)
#
# Columns: design, y, numbers a, b, c and categories u, v; an empty cell means that the design
# has no such column.
args <- commandArgs(trailingOnly = TRUE)
if (length(args) != 2) stop("usage: Rscript scripts/make_separation.R ROOT OUT")
source(file.path(args[1], "scripts", "common.R"))
RNGversion("4.2.0")

one_design <- function(number) {
  set.seed(10000 + number)
  n <- sample(20:120, 1)
  numbers <- sample(0:3, 1)
  categories <- if (numbers == 0) sample(1:2, 1) else sample(0:2, 1)
  grain <- sample(c(0, 1, 2), 1)      # decimals: whole numbers give ties at the boundary
  strength <- sample(c(0.5, 1.5, 4, 12), 1)
  eta <- rep(rnorm(1), n)
  data <- data.frame(design = rep(sprintf("s%03d", number), n), y = 0,
                     a = NA, b = NA, c = NA, u = NA, v = NA)
  for (name in c("a", "b", "c")[seq_len(numbers)]) {
    x <- switch(sample(3, 1), rnorm(n), rexp(n), rbinom(n, 1, 0.15) * 1)
    data[[name]] <- round(x, grain)
    eta <- eta + rnorm(1, 0, strength) * data[[name]]
  }
  for (name in c("u", "v")[seq_len(categories)]) {
    levels <- sample(2:5, 1)
    x <- sample(levels, n, TRUE, rexp(levels) + 0.03)
    data[[name]] <- paste0("k", match(x, unique(x)))
    eta <- eta + rnorm(levels, 0, strength)[x]
  }
  data$y <- as.integer(runif(n) < plogis(eta))
  if (sum(data$y) %in% c(0, n)) data$y[1] <- 1 - data$y[1]
  data
}

write_table(do.call(rbind, lapply(1:260, one_design)), args[2], "separation")
