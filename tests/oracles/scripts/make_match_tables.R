# Write the tie-free tables for matching: id, treat, lp (a logit with 10 decimals), covariates.
# Usage: Rscript scripts/make_match_tables.R . tables     (from the folder of the oracles)
#
# Tie-free: scores are distinct, and no person has two people of the other arm at the same
# distance (checked on whole numbers of 1e-10). Rows that break this are left out.
args <- commandArgs(trailingOnly = TRUE)
if (length(args) != 2) stop("usage: Rscript scripts/make_match_tables.R ROOT OUT")
source(file.path(args[1], "scripts", "common.R"))
root <- args[1]

tied_rows <- function(treat, lp) {
  units <- round(lp * 1e10)
  bad <- which(duplicated(units))
  for (i in setdiff(seq_along(units), bad)) {
    others <- which(treat != treat[i])
    bad <- c(bad, others[duplicated(abs(units[others] - units[i]))])
  }
  unique(bad)
}

save <- function(name, data) {
  data$lp <- as.numeric(sprintf("%.10f", data$lp))
  while (length(bad <- tied_rows(data$treat, data$lp))) data <- data[-bad, , drop = FALSE]
  data$id <- seq_len(nrow(data))
  data <- data[c("id", "treat", "lp", setdiff(names(data), c("id", "treat", "lp")))]
  data$lp <- sprintf("%.10f", data$lp)
  write_table(data, args[2], name)
  cat(name, nrow(data), sum(data$treat), "\n")
}

scored <- function(path, response, columns) {
  data <- read_table(root, path)
  X <- design_matrix(data, columns)
  fit <- suppressWarnings(glm.fit(X, data[[response]], family = binomial(),
                                  control = list(epsilon = 1e-10, maxit = 100)))
  data.frame(treat = data[[response]], lp = drop(X %*% fit$coefficients), data[columns])
}

# --- real tables ------------------------------------------------------------------------------
people <- read_table(root, "nhefs/nhefs.csv.gz")
scores <- read_table(root, "nhefs/nhefs_scores.csv.gz")
save("match_nhefs", data.frame(treat = people$treat, lp = scores$lp10,
  people[c("sex", "race", "age", "education", "smokeintensity", "smokeyrs", "exercise", "active",
           "wt71")]))
recid <- scored("tables/recid.csv.gz", "workprg", c("black", "alcohol", "drugs", "super", "married",
  "felon", "property", "person", "priors", "educ", "rules", "age", "tserved", "follow"))
save("match_recid", recid)
save("match_jtrain3", scored("tables/jtrain3.csv.gz", "train", c("age", "agesq", "educ", "black",
  "hisp", "married", "re74", "re75", "unem74", "unem75")))

# --- seeded pools -----------------------------------------------------------------------------
RNGversion("4.2.0")
pool <- function(n, intercept, slope) {
  x1 <- round(rnorm(n), 4); x2 <- round(rexp(n), 4); x3 <- round(rnorm(n, 50, 9), 3)
  age <- sample(18:65, n, TRUE)
  region <- sample(c("east", "north", "south", "west"), n, TRUE)
  year <- sample(c("y2019", "y2020", "y2021"), n, TRUE)
  sex <- sample(c("f", "m"), n, TRUE, c(0.2, 0.8))
  area <- sprintf("a%02d", sample(25, n, TRUE))
  lp <- intercept + slope * (0.6 * x1 + 0.4 * x2 - 0.02 * (age - 40) + 0.3 * (sex == "m")) +
    rnorm(n, 0, 0.05)
  data.frame(treat = as.integer(runif(n) < plogis(lp)), lp, x1, x2, x3, age, region,
             year, sex, area)
}
set.seed(201); save("match_sparse", pool(3000, -2.9, 1))    # about 10 % treated
set.seed(202); save("match_dense", pool(2000, -0.8, 1))     # about 40 % treated
set.seed(203); save("match_poor", pool(1500, -2.2, 2.2))    # poor overlap

set.seed(204)  # the same person in several rows
data <- pool(1500, -2.8, 1)
treated <- data$treat == 1
data$person <- NA_character_      # treated rows are all different people, controls come back
data$person[treated] <- sprintf("t%04d", seq_len(sum(treated)))
data$person[!treated] <- sprintf("c%04d", sample(450, sum(!treated), TRUE))
data$anyone <- sprintf("p%04d", sample(700, nrow(data), TRUE))  # people in both arms, many times
save("match_persons", data)

set.seed(205)  # binary fractions: distances equal a caliper of 0.25 exactly in float64
treat <- c(rep(1, 6), rep(0, 12))
lp <- c(0, 2, 4, 6, 8, 10,
        -0.25, 0.5, 1.75, 2.25 + 2^-30, 4.25 + 2^-30, 3.5, 6.25, 5.75 - 2^-30,
        8.125, 7.75, 9.5, 10.25)
x <- c(1, 2, 3, 4, 5, 6, 1.5, 1, 2.5, 2.5, 3, 3, 4.5 + 2^-30, 4, 5, 5.5, 6, 6.5)
write_table(data.frame(id = seq_along(lp), treat = treat, lp = lp, x = x), args[2], "match_edge")

# --- tables with many tied scores: only what does not depend on the order of ties is compared --
tied <- function(name, data, decimals) {
  data$lp <- sprintf("%.*f", decimals, data$lp)
  write_table(data.frame(id = seq_len(nrow(data)), data), args[2], name)
}
tied("tied_nhefs", data.frame(treat = people$treat, lp = scores$lp10, sex = people$sex), 2)
tied("tied_recid", recid[c("treat", "lp", "black", "married")], 1)
jtrain3 <- scored("tables/jtrain3.csv.gz", "train", c("age", "agesq", "educ", "black", "hisp",
  "married", "re74", "re75", "unem74", "unem75"))
tied("tied_jtrain3", jtrain3[c("treat", "lp", "black", "married")], 10)
