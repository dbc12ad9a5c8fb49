# Two-sample and paired tests: Welch, Wilson, Newcombe, McNemar, Mantel-Haenszel.
# Usage: Rscript scripts/two_samples.R . results     (from the folder of the oracles)
args <- commandArgs(trailingOnly = TRUE)
if (length(args) != 2) stop("usage: Rscript scripts/two_samples.R ROOT OUT")
source(file.path(args[1], "scripts", "common.R"))
suppressPackageStartupMessages({
  library(ratesci)
  library(exact2x2)
})
root <- args[1]
quiet <- function(x) suppressWarnings(suppressMessages(x))

# --- Welch's test on the columns of tables, treated minus comparison ------------------------------
columns <- list(
  list("tables/effects_recid.csv.gz", c("reoffended", "rules", "days")),
  list("nhefs/nhefs.csv.gz", c("death", "wt82_71", "age")),
  list("tables/effects_persons.csv.gz", c("event", "count", "days")))
welch <- list()
for (item in columns) for (column in item[[2]]) {
  people <- read_table(root, item[[1]])
  for (level in c(0.95, 0.99)) {
    made <- t.test(people[[column]][people$treat == 1], people[[column]][people$treat == 0],
                   conf.level = level)
    welch[[length(welch) + 1]] <- list(table = item[[1]], outcome = column, level = level,
      mean_treated = made$estimate[[1]], mean_comparison = made$estimate[[2]],
      standard_error = made$stderr, df = made$parameter[[1]], statistic = made$statistic[[1]],
      p_value = made$p.value, lower = made$conf.int[1], upper = made$conf.int[2])
  }
}

# --- rates: Wilson limits (prop.test), Newcombe's interval of their difference (ratesci) ------------
# The first eight are examples (a) to (h) of Newcombe (1998), Stat Med 17, 873-890.
counts <- list(c(56, 70, 48, 80), c(9, 10, 3, 10), c(6, 7, 2, 7), c(5, 56, 0, 29), c(0, 10, 0, 20),
               c(0, 10, 0, 10), c(10, 10, 0, 20), c(10, 10, 0, 10), c(18, 60, 402, 1200),
               c(3, 60, 61, 900), c(72, 120, 2100, 4000), c(600, 2000, 3100, 10000),
               c(1, 2, 1, 2), c(119, 120, 700, 1000), c(0, 500, 12, 4000), c(101, 2000, 499, 10000))
rates <- list()
for (x in counts) for (level in c(0.9, 0.95, 0.99)) {
  wilson <- function(events, n) {
    quiet(prop.test(events, n, correct = FALSE, conf.level = level))$conf.int[1:2]
  }
  newcombe <- moverci(x[1], x[2], x[3], x[4], distrib = "bin", contrast = "RD", level = level,
                      type = "wilson", cc = FALSE)
  limits <- if (is.list(newcombe)) newcombe$estimates else newcombe
  two <- quiet(prop.test(x[c(1, 3)], x[c(2, 4)], correct = FALSE, conf.level = level))
  rates[[length(rates) + 1]] <- list(events_treated = x[1], treated = x[2],
    events_comparison = x[3], comparison = x[4], level = level,
    wilson_treated = wilson(x[1], x[2]), wilson_comparison = wilson(x[3], x[4]),
    newcombe = unname(limits[1, c("lower", "upper")]), wald = two$conf.int[1:2],
    chi_square = two$statistic[[1]], chi_square_p_value = two$p.value)
}

# --- McNemar on discordant pairs: b treated only, c comparison only --------------------------------
mcnemar <- list()
for (x in list(c(12, 5), c(5, 12), c(0, 7), c(7, 0), c(1, 1), c(10, 10), c(1, 0), c(0, 1), c(25, 40),
               c(130, 97), c(400, 480), c(3, 9))) {
  tab <- matrix(c(20, x[2], x[1], 30), 2)
  exact <- binom.test(x[1], sum(x), 0.5)
  odds <- quiet(mcnemar.exact(tab))
  central <- quiet(exact2x2(tab, paired = TRUE, midp = TRUE))
  mcnemar[[length(mcnemar) + 1]] <- list(treated_only = x[1], comparison_only = x[2],
    exact_p_value = exact$p.value, package_p_value = odds$p.value,
    one_sided_greater = binom.test(x[1], sum(x), 0.5, "greater")$p.value,
    odds_ratio = odds$estimate[[1]], odds_ratio_interval = as.vector(odds$conf.int),
    mid_p_value = central$p.value,
    chi_square_p_value = mcnemar.test(tab, correct = FALSE)$p.value,
    corrected_p_value = mcnemar.test(tab, correct = TRUE)$p.value)
}

# --- Mantel-Haenszel over strata: each stratum is (treated event, treated none, other event, none) --
set.seed(20261103)
seeded <- function(k, size) {
  lapply(seq_len(k), function(i) {
    n <- 2 + rpois(2, size)
    e <- rbinom(2, n, c(0.3, 0.4) + 0.2 * runif(1))
    c(e[1], n[1] - e[1], e[2], n[2] - e[2])
  })
}
strata <- list(two = list(c(10, 20, 15, 12), c(4, 9, 8, 30)),
               pairs = c(rep(list(c(1, 0, 0, 1)), 12), rep(list(c(0, 1, 1, 0)), 5),
                         rep(list(c(1, 0, 1, 0)), 9)),
               triples = c(rep(list(c(1, 0, 0, 2)), 7), rep(list(c(1, 0, 1, 1)), 6),
                           rep(list(c(0, 1, 1, 1)), 9), rep(list(c(0, 1, 2, 0)), 4)),
               small = seeded(6, 5), many = seeded(25, 8), large = seeded(4, 60))
mantel_haenszel <- lapply(names(strata), function(name) {
  tab <- array(unlist(lapply(strata[[name]], function(s) c(s[1], s[3], s[2], s[4]))),
               c(2, 2, length(strata[[name]])))
  made <- mantelhaen.test(tab, correct = FALSE)
  exact <- mantelhaen.test(tab, exact = TRUE)
  list(name = name, strata = strata[[name]], odds_ratio = made$estimate[[1]],
       odds_ratio_interval = made$conf.int[1:2], chi_square = made$statistic[[1]],
       p_value = made$p.value, exact_p_value = exact$p.value,
       conditional_odds_ratio = exact$estimate[[1]])
})

write_result(list(what = "two-sample and paired tests",
  versions = versions(c("ratesci", "exact2x2", "exactci", "jsonlite")),
  inputs = input_hashes(root, vapply(columns, `[[`, "", 1)), welch = welch, rates = rates,
  mcnemar = mcnemar, mantel_haenszel = mantel_haenszel), file.path(args[2], "two_samples.json"))
