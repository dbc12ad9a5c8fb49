# MatchIt on a score that is given, told what to do over standard input: one line, one job.
# The clock is R's own and runs around the call to matchit() alone.
suppressPackageStartupMessages(library(MatchIt))
inputs <- file("stdin", "r")
data <- NULL
reply <- function(...) { cat(..., "\n", sep = " "); flush(stdout()) }
repeat {
  line <- readLines(inputs, n = 1)
  if (length(line) == 0) break
  words <- strsplit(line, "\t")[[1]]
  if (words[1] == "load") {
    n <- as.integer(words[4])
    score <- readBin(words[2], "double", n)
    data <- data.frame(treat = readBin(words[3], "integer", n, size = 1))
    invisible(gc())
    reply("ok")
  } else if (words[1] == "match") {
    ratio <- as.integer(words[2])
    replace <- words[3] == "TRUE"
    before <- proc.time()
    matched <- matchit(treat ~ 1, data = data, method = "nearest", distance = score,
                       ratio = ratio, replace = replace)
    spent <- proc.time() - before
    partner <- suppressWarnings(as.integer(t(matched$match.matrix)))
    writeBin(ifelse(is.na(partner), -1L, partner - 1L), words[4])
    rm(matched)
    invisible(gc())
    reply(spent[["user.self"]] + spent[["sys.self"]], spent[["elapsed"]])
  }
}
