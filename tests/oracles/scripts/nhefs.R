# Make the numbers of nhefs/ again and compare: scores, MatchIt's pairs, Abadie-Imbens errors.
# Usage: Rscript scripts/nhefs.R . results     (from the folder of the oracles; glm.R first)
args <- commandArgs(trailingOnly = TRUE)
if (length(args) != 2) stop("usage: Rscript scripts/nhefs.R ROOT OUT")
source(file.path(args[1], "scripts", "common.R"))
source(file.path(args[1], "scripts", "run_match.R"))
suppressPackageStartupMessages(library(Matching))
root <- args[1]
stored <- fromJSON(file.path(root, "nhefs", "nhefs.json"), simplifyVector = FALSE)
people <- read_table(root, "nhefs/nhefs.csv.gz")
scores <- read_table(root, "nhefs/nhefs_scores.csv.gz")
checks <- list()

# --- the fit and its scores -------------------------------------------------------------------
fits <- fromJSON(file.path(args[2], "glm.json"), simplifyVector = FALSE)$fits
fit <- Filter(function(f) f$name == "nhefs", fits)[[1]]
X <- design_matrix(people, unlist(fit$columns), unlist(fit$categorical))
lp <- drop(X %*% unlist(fit$coefficients))
theirs <- function(part) {
  values <- unlist(stored$logit[[part]])
  values[sub("(intercept)", "(Intercept)", sub("=", "", unlist(fit$terms)), fixed = TRUE)]
}
checks$coefficients <- max(abs(unlist(fit$coefficients) / theirs("coef") - 1))
checks$standard_errors <- max(abs(unlist(fit$standard_errors) / theirs("se") - 1))
checks$deviance <- abs(fit$deviance - stored$logit$deviance)
checks$lp <- max(abs(lp - scores$lp))
checks$lp10 <- max(abs(as.numeric(sprintf("%.10f", lp)) - scores$lp10))
checks$ps12 <- max(abs(as.numeric(sprintf("%.12f", plogis(lp))) - scores$ps12))

# --- MatchIt's pairs --------------------------------------------------------------------------
pairs <- read_table(root, "nhefs/nhefs_matches.csv.gz")
different <- 0
for (name in names(stored$matches)) {
  given <- stored$matches[[name]]
  data <- data.frame(id = people$id, treat = people$treat, lp = scores[[given$link]],
                     sex = people$sex)
  made <- pair_list(run_match(data, list(name = name, ratio = given$ratio, replace = given$replace,
    order = given$m_order, estimand = "att", caliper = 0.2 * sd(data$lp),
    exact = if (!is.null(given$exact)) "sex")), list(name = name, estimand = "att"))
  kept <- pairs[pairs$config == name, ]
  key <- function(p) paste(p$treated_id, p$k, p$control_id)
  different <- different + length(setdiff(key(made), key(kept))) +
    length(setdiff(key(kept), key(made)))
}
checks$pairs_that_differ <- different

# --- Abadie and Imbens (2006), no caliper -----------------------------------------------------
known <- fromJSON(file.path(root, "nhefs", "nhefs_abadie_imbens.json"), simplifyVector = FALSE)
worst <- 0
for (name in names(known)) {
  given <- known[[name]]
  outcome <- if (grepl("cont", name)) people$wt82_71 else people$death
  made <- Match(Y = outcome, Tr = people$treat, X = scores$lp10, Z = scores$lp10, M = given$M,
                estimand = "ATT", BiasAdjust = given$BiasAdjust, Var.calc = given$Var.calc,
                distance.tolerance = given$distance.tolerance, version = "standard")
  difference <- max(abs(drop(made$est) / given$est - 1), abs(made$se / given$se - 1))
  worst <- max(worst, difference)
}
checks$abadie_imbens <- worst

write_result(list(what = "differences between nhefs/ and the same numbers made again",
  versions = versions(c("MatchIt", "Matching", "jsonlite")),
  inputs = input_hashes(root, file.path("nhefs", c("nhefs.csv.gz", "nhefs_scores.csv.gz",
    "nhefs_matches.csv.gz", "nhefs.json", "nhefs_abadie_imbens.json"))),
  differences = checks), file.path(args[2], "nhefs_check.json"))
str(checks)
if (any(unlist(checks) > 1e-10)) stop("the stored numbers are not reproduced")
