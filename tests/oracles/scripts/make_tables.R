# Write the tables that come with R, MASS and boot, and the seeded designs.
# Usage: Rscript scripts/make_tables.R scripts tables
args <- commandArgs(trailingOnly = TRUE)
if (length(args) != 2) stop("usage: Rscript scripts/make_tables.R scripts tables")
source(file.path(args[1], "common.R"))
tables <- args[2]

save <- function(name, data) {
  data <- data[complete.cases(data), , drop = FALSE]
  rownames(data) <- NULL
  write_table(cbind(id = seq_len(nrow(data)), data), tables, name)
}
text <- function(x) paste0("L", as.integer(x))

# --- R's own tables ---------------------------------------------------------------------------
b <- MASS::birthwt
save("birthwt", data.frame(low = b$low, age = b$age, lwt = b$lwt, smoke = b$smoke, ptl = b$ptl,
                           ht = b$ht, ui = b$ui, ftv = b$ftv, race = text(b$race)))
p <- MASS::Pima.tr
save("pima_tr", data.frame(type = as.integer(p$type == "Yes"), p[, 1:7]))
p <- MASS::Pima.te
save("pima_te", data.frame(type = as.integer(p$type == "Yes"), p[, 1:7]))
p <- MASS::biopsy
save("biopsy", data.frame(malignant = as.integer(p$class == "malignant"), p[, 2:10]))
p <- MASS::bacteria
save("bacteria", data.frame(y = as.integer(p$y == "y"), week = p$week, trt = as.character(p$trt)))
m <- MASS::menarche
save("menarche", rbind(
  data.frame(y = 1, weight = m$Menarche, age = m$Age),
  data.frame(y = 0, weight = m$Total - m$Menarche, age = m$Age)))
n <- boot::nodal
save("nodal", data.frame(r = n$r, aged = n$aged, stage = n$stage, grade = n$grade,
                         xray = n$xray, acid = n$acid))
save("urine", boot::urine)
i <- datasets::infert
save("infert", data.frame(case = i$case, age = i$age, parity = i$parity, induced = i$induced,
                          spontaneous = i$spontaneous, education = text(i$education)))
save("mtcars", data.frame(am = mtcars$am, mpg = mtcars$mpg, hp = mtcars$hp))
t <- as.data.frame(datasets::Titanic)
save("titanic_counts", data.frame(survived = as.integer(t$Survived == "Yes"), weight = t$Freq,
  class = as.character(t$Class), sex = as.character(t$Sex), age = as.character(t$Age)))
u <- as.data.frame(datasets::UCBAdmissions)
save("ucb_counts", data.frame(admitted = as.integer(u$Admit == "Admitted"), weight = u$Freq,
  gender = as.character(u$Gender), dept = as.character(u$Dept)))
e <- datasets::esoph
group <- function(x, prefix) paste0(prefix, as.integer(x))
long <- function(y, weight) data.frame(y = y, weight = weight, agegp = group(e$agegp, "A"),
  alcgp = group(e$alcgp, "B"), tobgp = group(e$tobgp, "C"))
save("esoph_counts", rbind(long(1, e$ncases), long(0, e$ncontrols)))

# --- seeded designs for the logistic fit ------------------------------------------------------
draw <- function(eta) as.integer(runif(length(eta)) < plogis(eta))
RNGversion("4.2.0")

set.seed(101)  # rare events, about 0.2 %
n <- 12000
x1 <- round(rnorm(n), 3); x2 <- round(rexp(n), 3); g <- sample(c("a", "b", "c"), n, TRUE)
save("sim_rare", data.frame(y = draw(-7 + 0.8 * x1 + 0.3 * x2 + 0.5 * (g == "c")), x1, x2, g))

set.seed(102)  # rare events and a heavy-tailed covariate: undamped Newton steps run away
n <- 6000
heavy <- round(exp(2.5 * rnorm(n)), 3); x1 <- round(rnorm(n), 3)
save("sim_heavy", data.frame(y = draw(-5.5 + 0.004 * heavy + 0.5 * x1), x1, heavy))

set.seed(103)  # heavy tails on both sides (t with 1.5 degrees of freedom)
n <- 3000
h1 <- round(rt(n, 1.5), 3); h2 <- round(rt(n, 1.5), 3)
save("sim_t_tails", data.frame(y = draw(-1 + 0.15 * h1 - 0.1 * h2), h1, h2))

set.seed(104)  # column scales from 1e-8 to 1e8
n <- 1500
z <- matrix(round(rnorm(4 * n), 4), n)
save("sim_scales", data.frame(y = draw(-0.7 + z %*% c(0.6, -0.5, 0.4, 0.2)),
  tiny = z[, 1] * 1e-8, small = z[, 2] * 1e-4, plain = z[, 3], huge = z[, 4] * 1e8))

set.seed(105)  # one category with 60 levels and one with 12
n <- 4000
many <- sprintf("m%02d", sample(60, n, TRUE)); dozen <- sprintf("d%02d", sample(12, n, TRUE))
x1 <- round(rnorm(n), 3); x2 <- round(runif(n), 3)
effect <- round(rnorm(60, 0, 0.5), 2)
save("sim_many_levels", data.frame(
  y = draw(-0.5 + 0.7 * x1 - x2 + effect[as.integer(substr(many, 2, 3))]), x1, x2, many, dozen))

set.seed(106)  # frequency weights from 0 to 20
n <- 800
x1 <- round(rnorm(n), 3); x2 <- rpois(n, 2); g <- sample(c("n", "s", "w"), n, TRUE)
save("sim_weights", data.frame(y = draw(-1 + 0.5 * x1 + 0.2 * x2 - 0.4 * (g == "s")),
  weight = sample(0:20, n, TRUE), x1, x2, g))

set.seed(107)  # aliased columns: a copy, a sum, a constant, a category nested in another
n <- 1000
a <- round(rnorm(n), 3); b <- round(rnorm(n), 3)
town <- sample(c("t1", "t2", "t3", "t4", "t5", "t6"), n, TRUE)
county <- c(t1 = "c1", t2 = "c1", t3 = "c2", t4 = "c2", t5 = "c3", t6 = "c3")[town]
save("sim_aliased", data.frame(y = draw(-0.4 + 0.6 * a - 0.3 * b), a, b, copy = a, total = a + b,
  three = 3, minus = round(5 - 2 * b, 3), town, county = unname(county),
  same = ifelse(town %in% c("t1", "t2"), "yes", "no")))

set.seed(108)  # nearly collinear columns and a power basis
n <- 2000
u <- round(runif(n, 18, 65), 1); v <- round(rnorm(n), 3)
save("sim_collinear", data.frame(y = draw(-3 + 0.06 * u + 0.3 * v), u, u2 = u^2, u3 = u^3, v,
  v_near = round(v + 1e-4 * rnorm(n), 8)))

set.seed(109)  # a far-off centre: a year and a date in days
n <- 1500
year <- sample(2001:2024, n, TRUE); days <- year * 365 + sample(0:364, n, TRUE)
save("sim_far_centre", data.frame(y = draw(-0.5 + 0.05 * (year - 2012)), year, days,
  x = round(rnorm(n), 3)))

set.seed(110)  # strong signal: fitted probabilities near 0 and 1, but not separated
n <- 1200
x1 <- round(rnorm(n), 3); x2 <- round(rnorm(n), 3)
save("sim_strong", data.frame(y = draw(-1 + 5 * x1 - 4 * x2), x1, x2))

# --- literature tables with infinite estimates (or nearly) ------------------------------------
data("endometrial", "lizards", "silvapulle1981", package = "detectseparation")
data("sex2", package = "logistf")
save("endometrial", data.frame(HG = endometrial$HG, NV = endometrial$NV, PI = endometrial$PI,
                               EH = endometrial$EH))
z <- lizards
long <- function(y, weight) data.frame(y = y, weight = weight, height = text(z$height),
  diameter = text(z$diameter), light = text(z$light), time = text(z$time))
save("lizards", rbind(long(1, z$grahami), long(0, z$opalinus)))
save("silvapulle1981", silvapulle1981)
save("sex2", sex2)

# --- seeded designs with separation -----------------------------------------------------------
set.seed(301)  # complete: a line divides the arms
x1 <- round(rnorm(60), 2); x2 <- round(rnorm(60), 2)
save("sim_separated_complete", data.frame(y = as.integer(x1 + x2 > 0.3), x1, x2))
set.seed(302)  # a level without events
n <- 300
g <- sample(c("a", "b", "c"), n, TRUE, c(0.5, 0.4, 0.1)); x1 <- round(rnorm(n), 2)
save("sim_separated_level", data.frame(y = draw(-1 + 0.5 * x1) * (g != "c"), x1, g))
set.seed(303)  # quasi: both arms meet at x1 = 0 only
x1 <- sample(-3:3, 80, TRUE); x2 <- round(rnorm(80), 2)
y <- ifelse(x1 == 0, draw(x2), as.integer(x1 > 0))
save("sim_separated_quasi", data.frame(y, x1, x2))
set.seed(304)  # small and unbalanced, not separated
x1 <- round(rnorm(40), 2); x2 <- rbinom(40, 1, 0.4)
save("sim_small", data.frame(y = draw(-1.5 + x1 + 0.5 * x2), x1, x2))
set.seed(305)  # rare events in a small table
n <- 1500
x1 <- round(rnorm(n), 2); g <- sample(c("n", "s", "w"), n, TRUE)
save("sim_rare_small", data.frame(y = draw(-5 + 0.9 * x1 + 0.4 * (g == "s")), x1, g))
