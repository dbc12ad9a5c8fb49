# Write the outcome tables of the effect oracles: effects_recid, effects_persons.
# Usage: Rscript scripts/make_effect_tables.R . tables     (from the folder of the oracles)
args <- commandArgs(trailingOnly = TRUE)
if (length(args) != 2) stop("usage: Rscript scripts/make_effect_tables.R ROOT OUT")
source(file.path(args[1], "scripts", "common.R"))
root <- args[1]

# --- recid: the outcomes of the people of match_recid, in its order -----------------------------
# match_recid keeps the order of recid and leaves out the rows that would tie, so the walk below
# finds each of its rows as the next one with the same covariates.
people <- read_table(root, "tables/recid.csv.gz")
kept <- read_table(root, "tables/match_recid.csv.gz")
shared <- setdiff(intersect(names(people), names(kept)), "id")
key <- function(data) do.call(paste, data[shared])
rows <- integer(nrow(kept))
at <- 0
keys <- list(all = key(people), kept = key(kept))
for (i in seq_along(rows)) {
  repeat {
    at <- at + 1
    if (keys$all[at] == keys$kept[i]) break
  }
  rows[i] <- at
}
write_table(data.frame(id = kept$id, treat = kept$treat, lp = sprintf("%.10f", kept$lp),
  reoffended = 1 - people$cens[rows], rules = kept$rules, days = people$durat[rows]),
  args[2], "effects_recid")

# --- persons: repeated index events, some people in both arms; seeded ---------------------------
RNGversion("4.2.0")
set.seed(20261102)
n <- 420
person <- sprintf("q%03d", sample(220, n, TRUE))
own <- setNames(rnorm(220), sprintf("q%03d", 1:220))
x1 <- round(rnorm(n) + 0.3 * own[person], 3)
x2 <- round(rexp(n), 3)
cell <- sample(c("a", "b"), n, TRUE, c(0.7, 0.3))
lp <- as.numeric(sprintf("%.10f", -0.9 + 0.6 * x1 - 0.4 * x2 + 0.2 * (cell == "b") +
                           1e-6 * runif(n)))
treat <- as.numeric(runif(n) < plogis(lp))
risk <- plogis(-0.4 + 0.5 * x1 + 0.8 * own[person])
event <- as.numeric(runif(n) < risk)
count <- event * (1 + rpois(n, 1.5 * risk))
days <- ifelse(event == 1, sample(1:365, n, TRUE), NA)
write_table(data.frame(id = seq_len(n), person, treat, lp = sprintf("%.10f", lp), x1, x2, cell,
  event, count, days), args[2], "effects_persons")
cat("effects_persons", n, sum(treat), length(unique(person[treat == 1])),
    length(intersect(person[treat == 1], person[treat == 0])), anyDuplicated(lp), "\n")
