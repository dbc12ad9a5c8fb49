# Abadie and Imbens (2006) estimates and standard errors by Matching::Match, no caliper.
# Usage: Rscript scripts/abadie_imbens.R . results     (from the folder of the oracles)
args <- commandArgs(trailingOnly = TRUE)
if (length(args) != 2) stop("usage: Rscript scripts/abadie_imbens.R ROOT OUT")
source(file.path(args[1], "scripts", "common.R"))
suppressPackageStartupMessages(library(Matching))
root <- args[1]

sources <- list(
  nhefs = list(table = "nhefs/nhefs.csv.gz", score = "tables/match_nhefs.csv.gz",
               outcomes = c("death", "wt82_71")),
  recid = list(table = "tables/effects_recid.csv.gz", score = "tables/effects_recid.csv.gz",
               outcomes = c("reoffended", "rules", "days")),
  persons = list(table = "tables/effects_persons.csv.gz",
                 score = "tables/effects_persons.csv.gz", outcomes = c("event", "count")))

# Match counts everybody within 1e-10 of the k-th squared distance (of the standardised score) as
# tied with it, whatever `distance.tolerance` says. True where that can make no difference.
apart <- function(x, rows, pool, k) {
  all(vapply(rows, function(i) {
    near <- sort((x[setdiff(pool, i)] - x[i])^2)[k + 0:1]
    near[2] - near[1] > 1.01e-10
  }, TRUE))
}

estimates <- list()
for (name in names(sources)) {
  given <- sources[[name]]
  people <- read_table(root, given$table)
  score <- read_table(root, given$score)
  stopifnot(identical(people$id, score$id))
  x <- (score$lp - mean(score$lp)) / sd(score$lp)
  for (outcome in given$outcomes) for (estimand in c("ATT", "ATC")) for (k in c(1, 2, 3, 5)) {
    treated <- which(people$treat == 1)
    others <- which(people$treat == 0)
    focal <- if (estimand == "ATT") treated else others
    # 0: one pooled variance; J > 0: the ddof-1 variance of a unit and its J nearest of its arm
    for (neighbours in c(0, 1, 4)) for (sample in c(FALSE, TRUE)) {
      if (neighbours > 0 && !(apart(x, treated, treated, neighbours) &&
                              apart(x, others, others, neighbours))) next
      made <- Match(Y = people[[outcome]], Tr = people$treat, X = score$lp, M = k,
        estimand = estimand, Var.calc = neighbours, sample = sample, replace = TRUE, ties = TRUE,
        distance.tolerance = 0, version = "standard")
      stopifnot(length(made$index.treated) == k * length(focal))
      estimates[[length(estimates) + 1]] <- list(
        name = paste(name, outcome, tolower(estimand), k, neighbours,
                     if (sample) "sample" else "population", sep = "_"),
        table = given$table, score = given$score, outcome = outcome,
        estimand = tolower(estimand), neighbours = k, variance_neighbours = neighbours,
        form = if (sample) "sample" else "population", pairs = length(made$index.treated),
        estimate = drop(made$est), standard_error = drop(made$se),
        unpaired_standard_error = drop(made$se.standard))
    }
  }
}
paths <- unlist(lapply(sources, function(s) c(s$table, s$score)))
write_result(list(what = "Abadie-Imbens standard errors without caliper",
  versions = versions(c("Matching", "jsonlite")), inputs = input_hashes(root, paths),
  estimates = estimates), file.path(args[2], "abadie_imbens.json"))
cat(length(estimates), "\n")
