# Standard errors of weighted regressions on matched samples, clustered by set and by person.
# Usage: Rscript scripts/clustered.R . results     (from the folder of the oracles; matchit.R first)
args <- commandArgs(trailingOnly = TRUE)
if (length(args) != 2) stop("usage: Rscript scripts/clustered.R ROOT OUT")
source(file.path(args[1], "scripts", "common.R"))
suppressPackageStartupMessages({
  library(sandwich)
  library(lmtest)
  library(survey)
})
root <- args[1]

# One row a member of a set: the focal unit with weight 1, each of its m partners with 1/m.
set_rows <- function(pairs, estimand) {
  focal <- if (estimand == "att") pairs$treated_id else pairs$control_id
  partner <- if (estimand == "att") pairs$control_id else pairs$treated_id
  size <- ave(focal, focal, FUN = length)
  ids <- unique(focal)
  data.frame(id = c(ids, partner), set = c(ids, focal), weight = c(rep(1, length(ids)), 1 / size))
}

tight <- list(epsilon = 1e-14, maxit = 100)
families <- list(difference = gaussian(), log_ratio = quasipoisson(), log_odds_ratio = quasibinomial())

# HC0: no small-sample factor. HC1: G / (G - 1) * (rows - 1) / (rows - 2). survey: G / (G - 1).
errors_of <- function(formula, family, rows, cluster) {
  rows$cluster <- rows[[cluster]]
  rows$w <- rows$weight
  fit <- suppressWarnings(glm(formula, family = family, data = rows, weights = w, control = tight))
  plain <- vcovCL(fit, cluster = rows$cluster, type = "HC0", cadjust = FALSE)
  corrected <- vcovCL(fit, cluster = rows$cluster, type = "HC1", cadjust = TRUE)
  design <- svydesign(ids = ~cluster, weights = ~w, data = rows)
  surveyed <- suppressWarnings(svyglm(formula, design, family = family, control = tight))
  test <- coeftest(fit, vcov. = corrected)
  list(estimate = coef(fit)[["treat"]], rows = nrow(rows), clusters = length(unique(rows$cluster)),
       hc0 = sqrt(plain["treat", "treat"]), hc1 = sqrt(corrected["treat", "treat"]),
       survey = sqrt(vcov(surveyed)["treat", "treat"]), survey_df = degf(design),
       z_p_value = test["treat", 4])
}

# Mean days among those with an event: a ratio, treated minus comparison (survey domain).
conditional_mean <- function(rows, outcome, event, cluster) {
  rows$cluster <- rows[[cluster]]
  rows$value <- ifelse(rows[[event]] == 1, rows[[outcome]], 0)
  rows$happened <- rows[[event]]
  design <- svydesign(ids = ~cluster, weights = ~weight, data = rows)
  fit <- svyglm(value ~ treat, subset(design, happened == 1))
  list(estimate = coef(fit)[["treat"]], survey = sqrt(vcov(fit)["treat", "treat"]),
       treated_events = sum(rows$happened * rows$treat), clusters = length(unique(rows$cluster)))
}

# g-computation over the treated: regression within arms, difference of the mean predictions.
standardised <- function(rows, outcome, columns, family, focal) {
  formula <- reformulate(sprintf("treat * (%s)", paste(columns, collapse = " + ")), outcome)
  rows$w <- rows$weight
  fit <- suppressWarnings(glm(formula, family = family, data = rows, weights = w, control = tight))
  target <- rows[rows$treat == focal, ]
  at <- function(value) {
    target$treat <- value
    X <- model.matrix(delete.response(terms(fit)), target)
    eta <- drop(X %*% coef(fit))
    list(mean = weighted.mean(family$linkinv(eta), target$weight),
         slope = colSums(X * family$mu.eta(eta) * target$weight) / sum(target$weight))
  }
  one <- at(1)
  none <- at(0)
  V <- vcovCL(fit, cluster = rows$set, type = "HC0", cadjust = FALSE)
  slope <- one$slope - none$slope
  # predictions at fixed covariates: the spread of the covariates themselves is not in this error
  list(mean_treated = one$mean, mean_comparison = none$mean, estimate = one$mean - none$mean,
       hc0 = sqrt(drop(slope %*% V %*% slope)))
}

designs <- fromJSON(file.path(args[2], "matchit.json"), simplifyVector = FALSE)$matches
names(designs) <- vapply(designs, `[[`, "", "name")
chosen <- list(
  recid = list(
    table = "tables/effects_recid.csv.gz", covariates = "tables/match_recid.csv.gz",
    adjust = c("age", "priors", "tserved"),
    designs = c("recid_1_largest", "recid_1_largest_cal", "recid_1_closest_cal", "recid_rep1",
                "recid_rep3_cal", "recid_atc_1_largest_cal", "recid_atc_rep2"),
    outcomes = c("reoffended", "rules", "days"), event = "reoffended", time = "days"),
  nhefs = list(
    table = "nhefs/nhefs.csv.gz", covariates = "tables/match_nhefs.csv.gz",
    adjust = c("age", "smokeyrs", "wt71"),
    designs = c("nhefs_1_largest", "nhefs_2_closest_cal", "nhefs_3_cal", "nhefs_var2_1_3",
                "nhefs_rep3_cal"),
    outcomes = c("death", "wt82_71"), event = NULL))

regressions <- list()
conditional <- list()
adjusted <- list()
paths <- character()
for (name in names(chosen)) {
  given <- chosen[[name]]
  pairs_path <- file.path("results", paste0("pairs_", name, ".csv.gz"))
  paths <- c(paths, given$table, given$covariates, pairs_path)
  people <- read_table(root, given$table)
  covariates <- read_table(root, given$covariates)
  stopifnot(identical(people$id, covariates$id))
  people[given$adjust] <- covariates[given$adjust]
  pairs <- read_table(root, pairs_path)
  for (design in given$designs) {
    estimand <- designs[[design]]$estimand
    rows <- set_rows(pairs[pairs$config == design, ], estimand)
    rows <- cbind(rows[c("set", "weight")], people[match(rows$id, people$id), ])
    for (outcome in given$outcomes) {
      binary <- all(rows[[outcome]] %in% 0:1)
      count <- all(rows[[outcome]] >= 0 & rows[[outcome]] == round(rows[[outcome]]))
      measures <- c("difference", if (binary || count) "log_ratio", if (binary) "log_odds_ratio")
      for (measure in measures) {
        head <- list(design = design, table = given$table, pairs = pairs_path, outcome = outcome,
                     estimand = estimand, measure = measure, cluster = "set")
        formula <- reformulate("treat", outcome)
        regressions[[length(regressions) + 1]] <-
          c(head, errors_of(formula, families[[measure]], rows, "set"))
      }
      family <- if (binary) quasibinomial() else if (count) quasipoisson() else gaussian()
      adjusted[[length(adjusted) + 1]] <-
        c(list(design = design, table = given$table, pairs = pairs_path,
               covariates = given$covariates, columns = as.list(given$adjust), outcome = outcome,
               estimand = estimand, family = family$family),
          standardised(rows, outcome, given$adjust, family, as.numeric(estimand == "att")))
    }
    if (!is.null(given$event)) {
      conditional[[length(conditional) + 1]] <-
        c(list(design = design, table = given$table, pairs = pairs_path, outcome = given$time,
               event = given$event, estimand = estimand, cluster = "set"),
          conditional_mean(rows, given$time, given$event, "set"))
    }
  }
}

# --- people with several rows: one row a person-event, comparison rows weighted by their use -----
path <- "tables/effects_persons.csv.gz"
paths <- c(paths, path)
people <- read_table(root, path)
samples <- list()
for (k in c(1, 3)) {
  treated <- which(people$treat == 1)
  uses <- numeric(nrow(people))
  matched <- lapply(treated, function(i) {
    pool <- which(people$treat == 0 & people$person != people$person[i])
    pool[order(abs(people$lp[pool] - people$lp[i]), pool)[seq_len(k)]]
  })
  for (m in matched) uses[m] <- uses[m] + 1 / k
  people$weight <- ifelse(people$treat == 1, 1, uses)
  rows <- people[people$weight > 0, ]
  samples[[length(samples) + 1]] <- list(neighbours = k, treated_id = treated,
                                         control_id = unlist(matched))
  for (outcome in c("event", "count")) {
    measures <- c("difference", "log_ratio", if (outcome == "event") "log_odds_ratio")
    for (measure in measures) {
      head <- list(design = paste0("persons_rep", k), table = path, outcome = outcome,
                   estimand = "att", measure = measure, cluster = "person")
      regressions[[length(regressions) + 1]] <-
        c(head, errors_of(reformulate("treat", outcome), families[[measure]], rows, "person"))
    }
  }
  conditional[[length(conditional) + 1]] <-
    c(list(design = paste0("persons_rep", k), table = path, outcome = "days", event = "event",
           estimand = "att", cluster = "person"),
      conditional_mean(rows, "days", "event", "person"))
}

write_result(list(what = "weighted regressions with clustered standard errors",
  versions = versions(c("sandwich", "lmtest", "survey", "jsonlite")),
  inputs = input_hashes(root, paths), regressions = regressions, conditional = conditional,
  adjusted = adjusted, persons = samples), file.path(args[2], "clustered.json"))
cat(length(regressions), length(conditional), length(adjusted), "\n")
