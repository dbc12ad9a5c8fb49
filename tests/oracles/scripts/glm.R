# Logistic fits by R's glm, polished by Newton steps to a zero score.
# Usage: Rscript scripts/glm.R . results     (from the folder of the oracles)
args <- commandArgs(trailingOnly = TRUE)
if (length(args) != 2) stop("usage: Rscript scripts/glm.R ROOT OUT")
source(file.path(args[1], "scripts", "common.R"))
root <- args[1]

log_likelihood <- function(eta, y, m) {
  sum(m * plogis(ifelse(y == 1, eta, -eta), log.p = TRUE))
}

# Newton from `start` on columns that are centred (if `centre`) and scaled; each step is a
# least-squares problem in QR form, so its error grows with the condition number, not its square.
polish <- function(X, y, m, start, centre = TRUE) {
  middle <- if (centre) colSums(m * X) / sum(m) else rep(0, ncol(X))
  middle[1] <- 0
  spread <- sqrt(colSums(m * sweep(X, 2, middle)^2) / sum(m))
  Z <- sweep(sweep(X, 2, middle), 2, spread, "/")
  back <- diag(1 / spread, ncol(X))
  back[1, -1] <- -middle[-1] / spread[-1]
  b <- start * spread
  b[1] <- start[1] + sum(start * middle)
  used <- 0
  best <- Inf
  repeat {
    eta <- drop(Z %*% b)
    p <- plogis(eta)
    w <- m * p * plogis(-eta)
    keep <- w > 0
    Q <- qr(sqrt(w[keep]) * Z[keep, , drop = FALSE], LAPACK = TRUE)
    step <- qr.coef(Q, (m * ifelse(y == 1, plogis(-eta), -p))[keep] / sqrt(w[keep]))
    size <- max(abs(step)) / max(abs(b))
    b <- b + step
    used <- used + 1
    if (size < 1e-15 || (size < 1e-12 && size >= best) || used == 60) break
    best <- size
  }
  eta <- drop(Z %*% b)
  p <- plogis(eta)
  w <- m * p * plogis(-eta)
  Q <- qr(sqrt(w) * Z, LAPACK = TRUE)
  inverse <- qr.R(Q)
  half <- matrix(0, ncol(X), ncol(X))
  half[Q$pivot, ] <- backsolve(inverse, diag(ncol(X)))
  cov <- back %*% tcrossprod(half) %*% t(back)
  score <- crossprod(Z, m * ifelse(y == 1, plogis(-eta), -p))
  list(coefficients = drop(back %*% b), standard_errors = sqrt(diag(cov)), steps = used,
       last_step = size, scaled_score = max(abs(score) / sqrt(colSums(w * Z^2))),
       deviance = -2 * log_likelihood(eta, y, m), max_logit = max(abs(eta)))
}

fit <- function(design) {
  data <- read_table(root, design$table)
  y <- data[[design$response]]
  m <- if (is.null(design$weights)) rep(1, nrow(data)) else data[[design$weights]]
  X <- design_matrix(data, unlist(design$columns), unlist(design$categorical))
  # glm's rank tolerance is tied to epsilon: the default 1e-8 gives 1e-11, left to right.
  first <- suppressWarnings(glm.fit(X, y, weights = m, family = binomial(),
                                    control = list(epsilon = 1e-8, maxit = 100)))
  dropped <- colnames(X)[is.na(first$coefficients)]
  X <- X[, !is.na(first$coefficients), drop = FALSE]
  start <- first$coefficients[!is.na(first$coefficients)]
  final <- polish(X, y, m, start)
  other <- polish(X, y, m, start, centre = FALSE)
  condition <- function(M) {
    d <- svd(M, 0, 0)$d
    max(d) / min(d)
  }
  used <- X[m > 0, ]
  raw <- condition(used)
  share <- sum(m * y) / sum(m)
  c(design, list(
    rows = nrow(data), events = sum(m * y), total = sum(m),
    terms = as.list(colnames(X)), coefficients = named(final$coefficients, colnames(X)),
    standard_errors = named(final$standard_errors, colnames(X)),
    deviance = final$deviance,
    null_deviance = -2 * sum(m) * (share * log(share) + (1 - share) * log(1 - share)),
    dropped = as.list(dropped),
    condition_raw = raw,
    condition_scaled = condition(sweep(used, 2, sqrt(colSums(used^2)), "/")),
    condition_class = if (raw < 1e6) "below 1e6" else "1e6 or more",
    max_logit = final$max_logit, newton_steps = final$steps, last_step = final$last_step,
    scaled_score = final$scaled_score,
    self_check = max(abs(final$coefficients / other$coefficients - 1)),
    glm_difference = max(abs(final$coefficients / start - 1)),
    glm_converged = first$converged))
}

designs <- fromJSON(file.path(root, "designs", "glm.json"), simplifyVector = FALSE)
options(warn = 2)
fits <- lapply(designs, function(d) {
  tryCatch(fit(d), error = function(e) stop(d$name, ": ", conditionMessage(e), call. = FALSE))
})
write_result(list(what = "logistic maximum likelihood", versions = versions("jsonlite"),
  inputs = input_hashes(root, sapply(designs, `[[`, "table")), fits = fits),
  file.path(args[2], "glm.json"))
for (f in fits) {
  cat(sprintf("%-22s n=%5d p=%2d cond=%.1e score=%.1e self=%.1e glm=%.1e logit=%.0f drop=%s\n",
    f$name, f$rows, length(f$terms), f$condition_raw, f$scaled_score, f$self_check,
    f$glm_difference, f$max_logit, paste(unlist(f$dropped), collapse = " ")))
}
