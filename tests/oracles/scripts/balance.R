# Balance before and after matching, from MatchIt's summary(): standardised mean differences,
# variance ratios, largest differences of the distribution functions, effective sample sizes.
# Usage: Rscript scripts/balance.R . results     (from the folder of the oracles)
args <- commandArgs(trailingOnly = TRUE)
if (length(args) != 2) stop("usage: Rscript scripts/balance.R ROOT OUT")
source(file.path(args[1], "scripts", "common.R"))
source(file.path(args[1], "scripts", "run_match.R"))
root <- args[1]

chosen <- c("nhefs_1_largest_cal", "nhefs_rep3_cal", "nhefs_3_cal", "nhefs_2_closest_cal",
  "nhefs_1_exact_sex_cal", "nhefs_var2_1_3", "recid_1_largest_cal", "recid_rep1_cal",
  "recid_1_reuse2_data", "recid_atc_rep2", "recid_atc_1_largest_cal", "jtrain3_1_largest_cal",
  "jtrain3_rep2_cal", "sparse_5_cal", "sparse_rep3_cal", "sparse_1_mah_cal",
  "sparse_var25_1_5_cal", "dense_2_reuse2_cal", "dense_1_closest_cal",
  "dense_atc_2_reuse3_exact_sex_cal",
  "poor_rep1_cal", "poor_1_largest_cal", "persons_2_person_cal")

# Columns to show: lp and every covariate; every level of a category is a 0/1 column.
shown_columns <- function(data) {
  parts <- list()
  for (column in setdiff(names(data), c("id", "treat", "person", "anyone", "area"))) {
    x <- data[[column]]
    if (is.numeric(x)) parts[[column]] <- x
    else for (level in sort(unique(x), method = "radix"))
      parts[[paste0(column, "=", level)]] <- as.numeric(x == level)
  }
  as.data.frame(parts, check.names = FALSE)
}

balance <- function(design) {
  data <- read_table(root, design$table)
  shown <- shown_columns(data)
  match <- run_match(data, design, shown)
  table <- summary(match, standardize = TRUE, un = TRUE, pair.dist = FALSE)
  treated <- data$treat == 1
  rows <- lapply(seq_along(shown), function(i) {
    before <- table$sum.all[paste0("b__", i), ]
    after <- table$sum.matched[paste0("b__", i), ]
    pick <- function(r) list(mean_treated = r[["Means Treated"]],
      mean_comparison = r[["Means Control"]], smd = r[["Std. Mean Diff."]],
      variance_ratio = r[["Var. Ratio"]], ks = r[["eCDF Max"]])
    x <- shown[[i]]
    list(name = names(shown)[i], binary = all(x %in% c(0, 1)), sd_treated = sd(x[treated]),
         sd_comparison = sd(x[!treated]), before = pick(before), after = pick(after))
  })
  n <- table$nn
  list(name = design$name, denominator = if (design$estimand == "att") "treated" else "comparison",
       effective_treated = n["Matched (ESS)", "Treated"],
       effective_comparison = n["Matched (ESS)", "Control"],
       matched_treated = n["Matched", "Treated"], matched_comparison = n["Matched", "Control"],
       rows = rows)
}

designs <- fromJSON(file.path(root, "designs", "matchit.json"), simplifyVector = FALSE)
names(designs) <- vapply(designs, `[[`, "", "name")
stopifnot(chosen %in% names(designs))
designs <- designs[chosen]
write_result(list(what = "balance before and after matching (designs of matchit.json)",
  versions = versions(c("MatchIt", "jsonlite")),
  inputs = input_hashes(root, sapply(designs, `[[`, "table")),
  balances = unname(lapply(designs, balance))), file.path(args[2], "balance.json"))
