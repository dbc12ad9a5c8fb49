# Sensitivity to an unrecorded confounder: Rosenbaum bounds and E-values.
# Usage: Rscript scripts/hidden_bias.R . results     (from the folder of the oracles)
args <- commandArgs(trailingOnly = TRUE)
if (length(args) != 2) stop("usage: Rscript scripts/hidden_bias.R ROOT OUT")
source(file.path(args[1], "scripts", "common.R"))
suppressPackageStartupMessages({
  library(EValue)
  library(rbounds)
  library(sensitivity2x2xk)
  library(sensitivitymv)
  library(sensitivitymw)
})
root <- args[1]
quiet <- function(x) suppressWarnings(suppressMessages(x))
gammas <- c(1, 1.1, 1.25, 1.5, 2, 3, 6)

# rbounds rounds its p-values; the same function with a `round` that does nothing keeps the digits.
unrounded <- function(f) {
  e <- new.env(parent = environment(f))
  e$round <- function(x, digits = 0) x
  e$signif <- e$round
  environment(f) <- e
  f
}
grid <- function(f, ...) {
  bounds <- lapply(gammas, function(g) {
    b <- unrounded(f)(..., Gamma = g, GammaInc = if (g > 1) g - 1 else 1)$bounds
    b[nrow(b), ]
  })
  do.call(rbind, bounds)
}

# --- binary pairs: discordant with the event on the treated side, on the comparison side -----------
binary_pairs <- list()
for (x in list(c(12, 5), c(5, 12), c(7, 0), c(0, 7), c(25, 40), c(130, 97), c(400, 480), c(3, 3),
               c(1, 0), c(60, 20))) {
  larger <- max(x)
  total <- sum(x)
  tab <- array(c(rep(c(1, 0, 0, 1), larger), rep(c(0, 1, 1, 0), total - larger)), c(2, 2, total))
  bounds <- grid(binarysens, x[1], x[2])
  for (i in seq_along(gammas)) {
    g <- gammas[i]
    binary_pairs[[length(binary_pairs) + 1]] <- list(treated_only = x[1], comparison_only = x[2],
      gamma = g,
      # P(X >= D) for X binomial: the p-value of the larger side
      upper = binom.test(larger, total, g / (1 + g), "greater")$p.value,
      lower = binom.test(larger, total, 1 / (1 + g), "greater")$p.value,
      upper_mantel_haenszel = mh(tab, g)$pval,
      # rbounds leaves the observed count out: P(X > D)
      rbounds_upper = bounds[i, 3], rbounds_lower = bounds[i, 2])
  }
}

# --- binary sets and strata: one 2 x 2 table each (treated event, other event, treated none, other) --
set.seed(20261104)
sets <- function(n, k, risk_treated, risk) {
  t(sapply(seq_len(n), function(i) {
    e <- rbinom(1, 1, risk_treated)
    m <- if (length(k) > 1) sample(k, 1) else k
    o <- rbinom(1, m, risk)
    c(e, o, 1 - e, m - o)
  }))
}
examples <- list(triples = sets(60, 2, 0.55, 0.35), fives = sets(80, 4, 0.5, 0.3),
  variable = sets(100, 1:5, 0.45, 0.3), few = sets(12, 3, 0.7, 0.3), mixed = rbind(
    c(8, 4, 12, 16), c(10, 6, 5, 9), c(3, 1, 4, 9), c(1, 0, 0, 3)))
binary_sets <- lapply(names(examples), function(name) {
  rows <- examples[[name]]
  tab <- array(t(rows)[c(1, 2, 3, 4), ], c(2, 2, nrow(rows)))
  list(name = name, tables = lapply(seq_len(nrow(rows)), function(i) rows[i, ]), gamma = gammas,
       treated_events = sum(rows[, 1]), upper = sapply(gammas, function(g) mh(tab, g)$pval))
})

# --- differences of pairs and outcomes of sets: ranks, permutational t, M-tests ---------------------
counts <- rpois(45, 2 + rgamma(45, 1)) - rpois(45, 1.6)
numbers <- round(rnorm(60, 0.45), 4)
ties <- c(rep(c(1, 2, 3, -1, 0), 6), -2, 4)
pairs <- lapply(list(counts = counts, numbers = numbers, ties = ties), function(d) {
  ranks <- grid(psens, d, 0 * d)
  # with all differences apart the exact distribution of the signed-rank statistic at gamma = 1
  exact <- if (!any(duplicated(abs(d)))) wilcox.test(d, alternative = "greater", exact = TRUE)$p.value
  senmv_of <- function(g, ...) quiet(senmv(d, gamma = g, ...))
  list(differences = d, gamma = gammas, signed_rank_upper = ranks[, 3],
       signed_rank_lower = ranks[, 2], signed_rank_exact = exact,
       t_upper = sapply(gammas, function(g) senmv_of(g, method = "t")$pval),
       t_deviate = sapply(gammas, function(g) senmv_of(g, method = "t")$deviate),
       m_upper = sapply(gammas, function(g) senmv_of(g, method = "h")$pval),
       senmw_t_upper = sapply(gammas, function(g)
         quiet(senmw(cbind(d / 2, -d / 2), gamma = g, method = "t"))$pval))
})
set_table <- function(n, k, shift) {
  y <- matrix(rpois(n * (k + 1), 2), n)
  y[, 1] <- y[, 1] + rpois(n, shift)
  y
}
outcomes <- list(triples = set_table(40, 2, 0.8), fours = set_table(35, 3, 0.7))
wide <- set_table(50, 4, 0.7)
for (i in seq_len(50)) wide[i, -seq_len(1 + sample(1:4, 1))] <- NA
outcomes$variable <- wide
multiple <- lapply(names(outcomes), function(name) {
  y <- outcomes[[name]]
  # aligned ranks (Hodges and Lehmann 1962): ranks of the outcome minus the mean of its set
  aligned <- y - rowMeans(y, na.rm = TRUE)
  # rounding keeps equal residuals equal
  aligned[] <- rank(round(aligned, 9), na.last = "keep")
  ranked <- lapply(gammas, function(g) separable1v(aligned, g))
  list(name = name, outcomes = lapply(seq_len(nrow(y)), function(i) y[i, !is.na(y[i, ])]),
       gamma = gammas, aligned_rank_statistic = ranked[[1]]$statistic,
       aligned_rank_upper = sapply(ranked, `[[`, "pval"),
       aligned_rank_expectation = sapply(ranked, `[[`, "expectation"),
       aligned_rank_variance = sapply(ranked, `[[`, "variance"),
       t_upper = sapply(gammas, function(g) quiet(senmv(y, gamma = g, method = "t"))$pval),
       t_deviate = sapply(gammas, function(g) quiet(senmv(y, gamma = g, method = "t"))$deviate),
       m_upper = sapply(gammas, function(g) quiet(senmv(y, gamma = g, method = "h"))$pval))
})
amplified <- lapply(c(1.25, 1.5, 2, 3.5), function(g) {
  lambda <- g * c(1.1, 1.5, 2, 4)
  list(gamma = g, lambda = lambda, delta = unname(amplify(g, lambda)))
})

# --- E-values ---------------------------------------------------------------------------------------
number <- function(x) if (is.null(x) || is.na(x)) NA_real_ else unname(x)
row_of <- function(made, measure, x, rare = NA) {
  list(measure = measure, rare = rare, estimate = x[1], lower = x[2], upper = x[3],
       risk_ratio = unname(made["RR", ]), e_value = number(made["E-values", "point"]),
       e_value_lower = number(made["E-values", "lower"]),
       e_value_upper = number(made["E-values", "upper"]))
}
e_values <- list()
add <- function(x) e_values[[length(e_values) + 1]] <<- x
for (x in list(c(0.8, 0.7, 0.92), c(0.92, 0.8, 1.05), c(1, 0.9, 1.1), c(1.4, 1.1, 1.8),
               c(3.9, 1.8, 8.7), c(0.25, 0.1, 0.6), c(1.05, 0.98, 1.12), c(0.99, 0.985, 0.995),
               c(10.73, 8.02, 14.36))) {
  add(row_of(quiet(evalues.RR(x[1], x[2], x[3])), "risk_ratio", x))
  add(row_of(quiet(evalues.OR(x[1], x[2], x[3], rare = TRUE)), "odds_ratio", x, TRUE))
  add(row_of(quiet(evalues.OR(x[1], x[2], x[3], rare = FALSE)), "odds_ratio", x, FALSE))
  add(row_of(quiet(evalues.HR(x[1], x[2], x[3], rare = TRUE)), "hazard_ratio", x, TRUE))
  add(row_of(quiet(evalues.HR(x[1], x[2], x[3], rare = FALSE)), "hazard_ratio", x, FALSE))
}
# Risk differences from counts; `exposed` is the arm with the higher risk, as the package asks.
risk_differences <- lapply(list(c(397, 78557, 51, 108778), c(60, 140, 40, 160), c(30, 90, 200, 800),
                                c(55, 65, 1600, 2400), c(9, 111, 250, 3750)), function(x) {
  made <- quiet(evalues.RD(x[1], x[2], x[3], x[4], grid = 1e-6))
  list(events_exposed = x[1], others_exposed = x[2], events_unexposed = x[3],
       others_unexposed = x[4], grid = 1e-6, e_value = made$est.Evalue,
       e_value_lower = made$lower.Evalue)
})

write_result(list(what = "Rosenbaum bounds and E-values",
  versions = versions(c("EValue", "rbounds", "sensitivity2x2xk", "BiasedUrn", "sensitivitymv",
                        "sensitivitymw", "jsonlite")),
  binary_pairs = binary_pairs, binary_sets = binary_sets, pairs = pairs, sets = multiple,
  amplification = amplified, e_values = e_values, risk_differences = risk_differences),
  file.path(args[2], "hidden_bias.json"))
