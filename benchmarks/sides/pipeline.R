# A bootstrap in R that fits and matches again: rows drawn within arms, glm(), matchit().
# The clock is R's own and runs around the replicates alone.
suppressPackageStartupMessages(library(MatchIt))
inputs <- file("stdin", "r")
data <- NULL
reply <- function(...) { cat(..., "\n", sep = " "); flush(stdout()) }
replicate_once <- function() {
  drawn <- data[unlist(lapply(split(seq_len(nrow(data)), data$treat),
                              function(arm) arm[sample.int(length(arm), replace = TRUE)])), ]
  rownames(drawn) <- NULL
  model <- glm(treat ~ . - value, family = binomial(), data = drawn,
               control = list(epsilon = 1e-12), model = FALSE, y = FALSE)
  matched <- matchit(treat ~ 1, data = drawn, method = "nearest",
                     distance = model$linear.predictors, replace = TRUE, caliper = 0.2)
  partner <- as.integer(matched$match.matrix)
  mean(drawn$value[drawn$treat == 1] - drawn$value[partner], na.rm = TRUE)
}
repeat {
  line <- readLines(inputs, n = 1)
  if (length(line) == 0) break
  words <- strsplit(line, "\t")[[1]]
  if (words[1] == "load") {
    n <- as.integer(words[3]); numbers <- as.integer(words[4]); categories <- as.integer(words[5])
    read <- function(name, what, ...) readBin(file.path(words[2], name), what, ...)
    data <- data.frame(treat = read("treated", "integer", n, size = 1),
                       value = read("value", "double", n),
                       matrix(read("numbers", "double", n * numbers), n))
    codes <- matrix(read("codes", "integer", n * categories, size = 1), n)
    for (column in seq_len(categories)) data[[paste0("c", column)]] <- factor(codes[, column])
    rm(codes)
    set.seed(1)
    reply("ok")
  } else if (words[1] == "replicates") {
    invisible(gc())
    before <- proc.time()
    found <- vapply(seq_len(as.integer(words[2])), function(i) replicate_once(), 0)
    spent <- proc.time() - before
    writeBin(found, words[3])
    reply(spent[["user.self"]] + spent[["sys.self"]], spent[["elapsed"]])
  }
}
