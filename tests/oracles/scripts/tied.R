# Matching where scores tie: each design on 60 random row orders. A figure whose smallest and
# largest value agree does not depend on how ties are broken.
# Usage: Rscript scripts/tied.R . results     (from the folder of the oracles)
args <- commandArgs(trailingOnly = TRUE)
if (length(args) != 2) stop("usage: Rscript scripts/tied.R ROOT OUT")
source(file.path(args[1], "scripts", "common.R"))
source(file.path(args[1], "scripts", "run_match.R"))
root <- args[1]

figures <- function(data, design) {
  pairs <- pair_list(run_match(data, design), design)
  gap <- abs(data$lp[match(pairs$treated_id, data$id)] - data$lp[match(pairs$control_id, data$id)])
  c(treated_matched = length(unique(pairs$treated_id)), pairs = nrow(pairs),
    controls_used = length(unique(pairs$control_id)), sum_score_gap = sum(gap),
    largest_score_gap = max(gap))
}

measure <- function(design) {
  data <- read_table(root, design$table)
  set.seed(401)
  runs <- sapply(1:60, function(run) figures(data[sample(nrow(data)), ], design))
  ranges <- lapply(rownames(runs), function(figure) {
    x <- runs[figure, ]
    list(smallest = min(x), largest = max(x), same = diff(range(x)) <= 1e-9 * max(1, abs(x)))
  })
  c(design, setNames(ranges, rownames(runs)))
}

RNGversion("4.2.0")
designs <- fromJSON(file.path(root, "designs", "tied.json"), simplifyVector = FALSE)
results <- lapply(designs, measure)
write_result(list(what = "matching on tied scores over 60 row orders",
  versions = versions(c("MatchIt", "jsonlite")),
  inputs = input_hashes(root, sapply(designs, `[[`, "table")), matches = results),
  file.path(args[2], "tied.json"))
for (r in results) cat(r$name, r$treated_matched$smallest, r$treated_matched$largest,
  r$controls_used$smallest, r$controls_used$largest, r$sum_score_gap$same, "\n")
