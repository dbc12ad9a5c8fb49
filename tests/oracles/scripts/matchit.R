# Pairs and counts of every design of designs/matchit.json.
# Usage: Rscript scripts/matchit.R . results     (from the folder of the oracles)
args <- commandArgs(trailingOnly = TRUE)
if (length(args) != 2) stop("usage: Rscript scripts/matchit.R ROOT OUT")
source(file.path(args[1], "scripts", "common.R"))
source(file.path(args[1], "scripts", "run_match.R"))
root <- args[1]

# How many controls MatchIt means to give each focal unit under a variable ratio (Ming and
# Rosenbaum 2000), from the unit that gets the fewest: `min` for most, one middle number that makes
# the total right, `max` for the rest. A middle number of 0 becomes 1 and the next unit loses one.
target_counts <- function(n, design) {
  low <- design$min_controls
  high <- design$max_controls
  total <- round(design$ratio * n)
  n_high <- floor((total - low * (n - 1)) / (high - low))
  n_low <- n - n_high - 1
  middle <- total - low * n_low - high * n_high
  counts <- c(rep(low, n_low), middle, rep(high, n_high))
  if (middle == 0) counts[n_low + 1:2] <- c(1, high - 1)
  runs <- rle(counts)
  list(total = total, controls = as.list(runs$values), units = as.list(runs$lengths))
}

pairs <- list()
summarise <- function(design) {
  data <- read_table(root, design$table)
  match <- run_match(data, design)
  found <- pair_list(match, design)
  pairs[[design$name]] <<- found
  att <- design$estimand == "att"
  focal <- if (att) found$treated_id else found$control_id
  partner <- if (att) found$control_id else found$treated_id
  share <- 1 / as.vector(table(focal)[as.character(focal)])
  weight <- tapply(share, partner, sum)
  gap <- abs(data$lp[match(found$treated_id, data$id)] - data$lp[match(found$control_id, data$id)])
  c(design, list(
    rows = nrow(data), treated = sum(data$treat == 1), controls = sum(data$treat == 0),
    pairs = nrow(found), focal_matched = length(unique(focal)), partners_used = length(weight),
    effective_partners = sum(weight)^2 / sum(weight^2), largest_reuse = max(table(partner)),
    mean_score_gap = mean(gap), largest_score_gap = max(gap),
    pairs_by_k = as.list(as.vector(table(found$k)))),
    if (!is.null(design$max_controls)) {
      list(target_counts = target_counts(sum(data$treat == if (att) 1 else 0), design))
    })
}

designs <- fromJSON(file.path(root, "designs", "matchit.json"), simplifyVector = FALSE)
results <- lapply(designs, summarise)
write_result(list(what = "nearest-neighbour matching on a given score",
  versions = versions(c("MatchIt", "jsonlite")),
  inputs = input_hashes(root, sapply(designs, `[[`, "table")), matches = results),
  file.path(args[2], "matchit.json"))
tables <- vapply(designs, `[[`, "", "table")
for (table in unique(tables)) {  # one file of pairs for each input table
  part <- do.call(rbind, unname(pairs[tables == table]))
  write_table(part, args[2], sub("match_(.*)\\.csv\\.gz", "pairs_\\1", basename(table)))
}
for (r in results) cat(sprintf("%-42s pairs=%5d focal=%4d partners=%4d ess=%.3f reuse=%d\n", r$name,
  r$pairs, r$focal_matched, r$partners_used, r$effective_partners, r$largest_reuse))
