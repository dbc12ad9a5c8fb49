# Rosenbaum bounds (rbounds, sensitivitymv, mantelhaen.test) and E-values (EValue), on small data
# that stand in the result. The packages' sources are read from a folder, not from a library:
# EValue and sensitivitymv drag in dozens of packages that these functions do not use.
# Usage: Rscript scripts/sensitivity.R . results PACKAGES     (from the folder of the oracles)
args <- commandArgs(trailingOnly = TRUE)
if (length(args) != 3) stop("usage: Rscript scripts/sensitivity.R ROOT OUT PACKAGES")
source(file.path(args[1], "scripts", "common.R"))
code <- function(package, file) source(file.path(args[3], package, "R", file))
version_of <- function(package) {
  read.dcf(file.path(args[3], package, "DESCRIPTION"), "Version")[[1]]
}
code("rbounds", "binarysens.R")
code("rbounds", "psens.R")
code("sensitivitymv", "separable1v.R")
for (file in list.files(file.path(args[3], "EValue", "R"))) code("EValue", file)
# --- binary pairs: (focal only, partner only) counts of discordant pairs
gammas <- c(1, 1.5, 2, 3, 4, 5, 6)
binary <- lapply(list(c(110, 12), c(30, 14), c(9, 1), c(260, 190)), function(d) {
  upper <- sapply(gammas, function(g) sum(dbinom(d[1]:sum(d), sum(d), g / (1 + g))))
  list(focal_only = d[1], partner_only = d[2], gamma = gammas, upper = upper,
    binarysens = binarysens(d[2], d[1], Gamma = 6, GammaInc = 1)$bounds[[3]],
    largest_gamma = {
      p <- binom.test(d[1], sum(d), alternative = "greater", conf.level = 0.95)$conf.int[1]
      p / (1 - p)
    },
    largest_gamma_two_sided = {
      p <- binom.test(d[1], sum(d), conf.level = 0.95)$conf.int[1]
      p / (1 - p)
    })
})

# --- signed ranks: lead in the blood of children (rbounds' example, Rosenbaum 2002, chapter 4)
treated <- c(38, 23, 41, 18, 37, 36, 23, 62, 31, 34, 24, 14, 21, 17, 16, 20, 15, 10, 45, 39, 22, 35,
  49, 48, 44, 35, 43, 39, 34, 13, 73, 25, 27)
control <- c(16, 18, 18, 24, 19, 11, 10, 15, 16, 18, 18, 13, 19, 10, 16, 16, 24, 13, 9, 14, 21, 19,
  7, 18, 19, 12, 11, 22, 25, 16, 13, 11, 13)
signed_rank <- function(d, g) {
  d <- d[d != 0]
  r <- rank(abs(d))
  p <- g / (1 + g)
  pnorm((sum(r[d > 0]) - p * sum(r)) / sqrt(p * (1 - p) * sum(r^2)), lower.tail = FALSE)
}
lead_gammas <- c(1, 2, 3, 4, 4.25, 5, 5.8, 6)
lead <- list(
  treated = treated, control = control, gamma = lead_gammas,
  upper_zeros_dropped = sapply(lead_gammas, function(g) signed_rank(treated - control, g)),
  psens = psens(treated, control, Gamma = 6, GammaInc = 1)$bounds[[3]]
)

# --- sets 1:k, binary: exact at no hidden bias, by R's own conditional exact test
set.seed(20231)
make_sets <- function(n, k, p_focal, p_partner, draw) {
  size <- if (length(k) == 1) rep(k, n) else sample(k, n, replace = TRUE)
  lapply(size, function(s) c(draw(1, p_focal), draw(s, p_partner)))
}
flip <- function(n, p) as.numeric(runif(n) < p)
binary_sets <- lapply(list(list(40, 3, .3, .45), list(60, 1:4, .6, .4), list(25, 5, .2, .5)), function(a) {
  sets <- make_sets(a[[1]], a[[2]], a[[3]], a[[4]], flip)
  informative <- Filter(function(s) sum(s) > 0 && sum(s) < length(s), sets)
  tab <- array(unlist(lapply(informative, function(s) {
    c(s[1], sum(s[-1]), 1 - s[1], sum(1 - s[-1]))
  })), c(2, 2, length(informative)))
  one <- function(side) mantelhaen.test(tab, exact = TRUE, alternative = side)$p.value
  widest <- max(lengths(sets))
  padded <- t(sapply(sets, function(s) c(s, rep(NA, widest - length(s)))))
  list(sets = sets, greater = one("greater"), less = one("less"),
    gamma = c(1, 1.3, 2), normal_less = sapply(c(1, 1.3, 2), function(g) separable1v(-padded, g)$pval),
    normal_greater = sapply(c(1, 1.3, 2), function(g) separable1v(padded, g)$pval))
})

# --- sets 1:k, counts: aligned ranks with the separable bound
count_sets <- lapply(list(list(50, 3, 1.0, 2.0), list(80, 1:5, 2.5, 1.5)), function(a) {
  draw <- function(n, m) as.numeric(rnbinom(n, size = 1, mu = m))
  sets <- make_sets(a[[1]], a[[2]], a[[3]], a[[4]], draw)
  aligned <- lapply(sets, function(s) s - mean(s))
  ranks <- relist(rank(round(unlist(aligned), 9)), aligned)
  widest <- max(lengths(sets))
  padded <- t(sapply(ranks, function(s) c(s, rep(NA, widest - length(s)))))
  g <- c(1, 1.2, 1.5, 2)
  list(sets = sets, gamma = g,
    greater = sapply(g, function(v) separable1v(padded, v)$pval),
    less = sapply(g, function(v) separable1v(-padded, v)$pval))
})

# --- E-values
ratio <- function(kind, est, lo, hi, ...) {
  E <- suppressMessages(get(paste0("evalues.", kind))(est, lo, hi, ...))
  list(kind = kind, estimate = est, low = lo, high = hi, rare = list(...)$rare,
    e_value = E[2, 1], e_value_ci = max(E[2, 2:3], na.rm = TRUE))
}
ratios <- list(
  ratio("RR", 10.73, 8.02, 14.36), ratio("RR", 0.80, 0.71, 0.91), ratio("RR", 3.9, 1.8, 8.7),
  ratio("RR", 1.2, 0.9, 1.6), ratio("RR", 0.9, 0.7, 1.2), ratio("RR", 1.61, 1.06, 2.44),
  ratio("OR", 0.86, 0.75, 0.99, rare = FALSE), ratio("OR", 3.9, 1.8, 8.7, rare = TRUE),
  ratio("OR", 2.02, 1.1, 3.71, rare = FALSE), ratio("OR", 0.5, 0.3, 1.1, rare = FALSE)
)
difference <- function(n11, n10, n01, n00, grid = 1e-6) {
  E <- evalues.RD(n11, n10, n01, n00, grid = grid)
  list(n11 = n11, n10 = n10, n01 = n01, n00 = n00, e_value = E$est.Evalue, e_value_ci = E$lower.Evalue)
}
differences <- list(
  difference(397, 78557, 51, 108778, 1e-5), difference(150, 250, 260, 740), difference(60, 240, 150, 850),
  difference(52, 248, 150, 850)
)

write_result(list(
  made_by = c(versions(character()), sapply(c("rbounds", "sensitivitymv", "EValue"), version_of,
    simplify = FALSE)),
  binary = binary, lead = lead, binary_sets = binary_sets, count_sets = count_sets,
  ratios = ratios, differences = differences
), file.path(args[2], "sensitivity.json"))
