# Firth's penalised fit and its intercept-corrected form (FLIC), from logistf, polished, and
# compared with brglm2. logistf stops early on complete separation; brglm2 does not.
# Usage: Rscript scripts/firth.R . results     (from the folder of the oracles)
args <- commandArgs(trailingOnly = TRUE)
if (length(args) != 2) stop("usage: Rscript scripts/firth.R ROOT OUT")
source(file.path(args[1], "scripts", "common.R"))
suppressPackageStartupMessages({
  library(logistf)
  library(brglm2)
})
root <- args[1]

# Scoring steps from zero, on centred, scaled columns, to a zero of Firth's score
# sum_i x_i (m_i (y_i - p_i) + h_i (1/2 - p_i)), h = leverages of sqrt(m p (1 - p)) X.
polish <- function(X, y, m) {
  middle <- colSums(m * X) / sum(m)
  middle[1] <- 0
  spread <- sqrt(colSums(m * sweep(X, 2, middle)^2) / sum(m))
  Z <- sweep(sweep(X, 2, middle), 2, spread, "/")
  b <- rep(0, ncol(X))
  penalised <- function(b) {
    eta <- drop(Z %*% b)
    w <- m * plogis(eta) * plogis(-eta)
    sum(m * plogis(ifelse(y == 1, eta, -eta), log.p = TRUE)) +
      sum(log(abs(diag(qr.R(qr(sqrt(w) * Z))))))
  }
  value <- penalised(b)
  for (step in 1:5000) {
    eta <- drop(Z %*% b)
    p <- plogis(eta)
    w <- m * p * plogis(-eta)   # not p (1 - p): that is 0 beyond a logit of 37
    residual <- ifelse(y == 1, plogis(-eta), -p)
    Q <- qr(sqrt(w) * Z)
    h <- rowSums(qr.Q(Q)^2)
    change <- qr.coef(Q, (m * residual + h * (0.5 - p)) / sqrt(w))
    while ((trial <- penalised(b + change)) < value - 1e-9) change <- change / 2
    value <- trial
    b <- b + change
    if (max(abs(change)) < 2e-15 * max(1, abs(b))) break
  }
  p <- plogis(drop(Z %*% b))
  w <- m * p * (1 - p)
  Q <- qr(sqrt(w) * Z)
  h <- rowSums(qr.Q(Q)^2)
  score <- crossprod(Z, m * (y - p) + h * (0.5 - p)) / sqrt(colSums(w * Z^2))
  back <- diag(1 / spread)
  back[1, -1] <- -middle[-1] / spread[-1]
  errors <- function(w) {
    Q <- qr(sqrt(w) * Z)
    half <- matrix(0, ncol(X), ncol(X))
    half[Q$pivot, ] <- backsolve(qr.R(Q), diag(ncol(X)))
    sqrt(diag(back %*% tcrossprod(half) %*% t(back)))
  }
  list(coefficients = drop(back %*% b), steps = step, scaled_score = max(abs(score)),
       standard_errors = errors(w), augmented = errors((m + h) * p * (1 - p)))
}

# The intercept that makes the mean fitted probability the share of events, others held.
correct_intercept <- function(X, y, m, beta) {
  rest <- drop(X[, -1, drop = FALSE] %*% beta[-1])
  a <- beta[1]
  for (step in 1:100) {
    p <- plogis(a + rest)
    change <- sum(m * (y - p)) / sum(m * p * (1 - p))
    a <- a + change
    if (abs(change) < 1e-16 * max(1, abs(a))) break
  }
  a
}

fit <- function(design) {
  data <- read_table(root, design$table)
  y <- data[[design$response]]
  m <- if (is.null(design$weights)) rep(1, nrow(data)) else data[[design$weights]]
  X <- design_matrix(data, unlist(design$columns), unlist(design$categorical))
  keep <- m > 0
  frame <- data.frame(y = y[keep], X[keep, -1, drop = FALSE])
  names(frame) <- c("y", paste0("x", seq_len(ncol(X) - 1)))
  frame$m <- m[keep]
  formula <- reformulate(setdiff(names(frame), c("y", "m")), "y")
  tight <- logistf.control(maxit = 20000, maxstep = 1, lconv = 1e-12, gconv = 1e-10, xconv = 1e-12)
  first <- logistf(formula, frame, firth = TRUE, pl = FALSE, weights = m, control = tight)
  corrected <- do.call(flic, list(formula, data = frame, weights = quote(m), control = tight))
  second <- glm(formula, binomial, frame, weights = m, method = "brglmFit", type = "AS_mean",
                epsilon = 1e-12, maxit = 5000)
  final <- polish(X[keep, , drop = FALSE], y[keep], m[keep])
  intercept <- correct_intercept(X, y, m, final$coefficients)
  flic_fit <- c(intercept, final$coefficients[-1])
  size <- pmax(abs(final$coefficients), 1e-3 * final$standard_errors)
  c(design, list(
    rows = nrow(data), events = sum(m * y), total = sum(m), terms = as.list(colnames(X)),
    coefficients = named(final$coefficients, colnames(X)),
    standard_errors = named(final$standard_errors, colnames(X)),
    flic_intercept = intercept,
    mean_fitted = sum(m * plogis(drop(X %*% final$coefficients))) / sum(m),
    flic_mean_fitted = sum(m * plogis(drop(X %*% flic_fit))) / sum(m),
    event_share = sum(m * y) / sum(m), steps = final$steps, scaled_score = final$scaled_score,
    logistf_standard_errors = named(sqrt(diag(first$var)), colnames(X)),
    logistf_difference = max(abs(first$coefficients - final$coefficients) / size),
    brglm2_difference = if (second$converged) {
      max(abs(coef(second) - final$coefficients) / size)
    } else NA,
    logistf_augmented_difference = max(abs(sqrt(diag(first$var)) / final$augmented - 1)),
    logistf_flic_difference = abs(corrected$coefficients[[1]] - intercept)))
}

designs <- fromJSON(file.path(root, "designs", "firth.json"), simplifyVector = FALSE)
fits <- suppressWarnings(lapply(designs, fit))
write_result(list(what = "Firth's penalised logistic fit and FLIC",
  versions = versions(c("logistf", "brglm2", "jsonlite")),
  inputs = input_hashes(root, sapply(designs, `[[`, "table")), fits = fits),
  file.path(args[2], "firth.json"))
for (f in fits) {
  cat(sprintf("%-24s n=%4d p=%2d score=%.0e logistf=%.0e brglm2=%.0e errors=%.0e flic=%.0e\n",
    f$name, f$rows, length(f$terms), f$scaled_score, f$logistf_difference, f$brglm2_difference,
    f$logistf_augmented_difference, f$logistf_flic_difference))
}
