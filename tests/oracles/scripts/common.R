# Shared helpers: read tables, code a design as the engine does, write JSON with full precision.

suppressPackageStartupMessages(library(jsonlite))
invisible(Sys.setlocale("LC_COLLATE", "C"))
options(stringsAsFactors = FALSE, digits = 17)

number_text <- function(x) {
  text <- rep("", length(x))
  known <- !is.na(x)
  text[known] <- sprintf("%.15g", x[known])
  longer <- known & suppressWarnings(as.numeric(text)) != x
  text[which(longer)] <- sprintf("%.17g", x[which(longer)])
  text
}

write_table <- function(data, folder, name) {
  data[] <- lapply(data, function(x) if (is.numeric(x)) number_text(x) else as.character(x))
  con <- gzfile(file.path(folder, paste0(name, ".csv.gz")), "wb", compression = 9)
  on.exit(close(con))
  write.table(data, con, sep = ",", row.names = FALSE, quote = FALSE, na = "", eol = "\n")
}

# Paths of tables are relative to the folder of the oracles (`root`).
read_table <- function(root, path) {
  read.csv(file.path(root, path), check.names = FALSE, na.strings = "")
}

sha256 <- function(root, path) {
  strsplit(system2("sha256sum", shQuote(file.path(root, path)), stdout = TRUE), " ")[[1]][1]
}

input_hashes <- function(root, paths) {
  paths <- sort(unique(paths), method = "radix")
  named(sapply(paths, function(p) sha256(root, p)), paths)
}

# Model matrix in the engine's coding and names: intercept, then the columns in declared order;
# a category gives one 0/1 column for every level but the first in byte order.
design_matrix <- function(data, columns, categorical = character()) {
  parts <- list(`(intercept)` = rep(1, nrow(data)))
  for (column in columns) {
    x <- data[[column]]
    if (column %in% categorical) {
      levels <- sort(unique(as.character(x)), method = "radix")
      for (level in levels[-1]) parts[[paste0(column, "=", level)]] <- as.numeric(x == level)
    } else {
      parts[[column]] <- as.numeric(x)
    }
  }
  do.call(cbind, parts)
}

named <- function(x, names = base::names(x)) as.list(setNames(as.vector(x), names))

versions <- function(packages) {
  base <- list(R = paste(R.version$major, R.version$minor, sep = "."))
  c(base, sapply(packages, function(p) as.character(packageVersion(p)), simplify = FALSE))
}

# JSON with the shortest of 15 or 17 digits that gives the number back (jsonlite stops at 15).
# An unnamed list or a vector of length other than 1 is an array; infinities are texts.
json_number <- function(x) {
  ifelse(is.na(x), "null", ifelse(is.infinite(x), ifelse(x > 0, '"inf"', '"-inf"'), number_text(x)))
}

json <- function(x, depth = 0) {
  if (is.null(x)) return("null")
  pad <- strrep(" ", depth + 1)
  wrap <- function(parts, open, close) {
    if (!length(parts)) return(paste0(open, close))
    paste0(open, "\n", paste0(pad, parts, collapse = ",\n"), "\n", strrep(" ", depth), close)
  }
  if (is.list(x)) {
    parts <- vapply(x, json, "", depth = depth + 1)
    if (is.null(names(x))) return(wrap(parts, "[", "]"))
    return(wrap(paste0(vapply(names(x), deparse, ""), ": ", parts), "{", "}"))
  }
  parts <- if (is.character(x)) ifelse(is.na(x), "null", vapply(x, deparse, ""))
           else if (is.logical(x)) ifelse(is.na(x), "null", ifelse(x, "true", "false"))
           else json_number(x)
  if (length(parts) == 1) parts else paste0("[", paste(parts, collapse = ", "), "]")
}

write_result <- function(result, path) {
  con <- if (grepl("\\.gz$", path)) gzfile(path, "wb", compression = 9) else file(path, "wb")
  on.exit(close(con))
  writeLines(json(result), con)
}
