"""Names in the proportions in which they occur in the United Kingdom, near enough.

Common names stand here in order of frequency, which is a fact anybody can count; rare names are
composed. Forenames follow the year of birth, because that is what makes namesakes share an age.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.records.synthetic.world import Floats

_BOYS = (
    # born before 1965
    "John David Michael Peter Robert Anthony Brian Alan William James Richard Kenneth Roger Keith "
    "Colin Christopher Raymond Terence Barry Graham Derek Stephen Philip Trevor Malcolm Geoffrey "
    "Ronald Paul Ian Dennis George Thomas Roy Martin Leslie Frank Edward Gordon Charles Stuart "
    "Patrick Clive Neil Norman Eric Andrew Kevin Joseph Arthur Nigel Gerald Bernard Donald",
    # 1965 to 1979
    "Paul David Andrew Stephen Mark Michael Ian Gary Robert Richard Peter John Anthony Christopher "
    "Darren Kevin Martin Simon Philip Graham Colin Adrian Nigel Alan Neil Shaun Jonathan Nicholas "
    "Stuart Timothy Wayne Brian James Carl Jason Lee Craig Dean Steven Matthew Jeremy William Sean "
    "Barry Russell Julian Karl Damian Daniel Scott Justin Duncan Glen Patrick Joseph Dale Trevor",
    # 1980 to 1994
    "Christopher James David Daniel Michael Matthew Andrew Richard Paul Mark Thomas Adam Robert "
    "John Lee Benjamin Steven Jonathan Craig Stephen Simon Nicholas Peter Anthony Alexander Gary "
    "Ian Ryan Darren Barry Liam Ashley Joshua Jamie Scott Luke Kevin Dean Sean Carl Philip Stuart "
    "Martin Neil Shane Gareth Nathan Aaron Kieran Samuel Joseph William Jordan Kyle Wayne Danny "
    "Jake Karl Ricky Damien Terry Dale Leon Marcus Curtis Bradley Josh Tony Jason",
    # from 1995
    "Jack Daniel Thomas James Joshua Matthew Ryan Joseph Samuel Liam Jordan Luke Connor Alexander "
    "Benjamin Adam Harry Jake George Callum William Michael Oliver Lewis Christopher Kieran Nathan "
    "Bradley Charlie Jamie Aaron Kyle Alfie Robert Tyler Mason Reece Ethan Owen Dylan Max Ben "
    "Harvey Louis Cameron Brandon Leon Declan Mohammed Jay Corey Billy Tyrone Riley Kai Zak "
    "Ellis Toby Archie Rhys Kane Marcus Joel Logan Sean Finley",
)
_GIRLS = (
    "Susan Margaret Christine Patricia Linda Carol Jean Barbara Mary Ann Maureen Sandra Janet "
    "Elizabeth Pauline Brenda Jacqueline Kathleen Sheila Joan Pamela Anne Jennifer Gillian "
    "Marion Valerie Judith Elaine Hilary Lesley Rosemary Diane Doreen Irene Eileen Dorothy Helen",
    "Susan Julie Karen Jacqueline Deborah Tracey Jane Helen Diane Sharon Tracy Angela Sarah "
    "Alison Caroline Amanda Sandra Linda Catherine Elizabeth Carol Joanne Wendy Janet Dawn "
    "Christine Nicola Michelle Lisa Claire Donna Paula Lorraine Louise Samantha Maria Beverley "
    "Mandy Jennifer Debra Lesley Emma Rachel Tina Kerry Cheryl Marie Clare",
    "Sarah Laura Gemma Emma Rebecca Claire Victoria Samantha Rachel Amy Jennifer Nicola Katie Lisa "
    "Kelly Natalie Louise Michelle Hayley Hannah Helen Charlotte Joanne Lucy Elizabeth Leanne "
    "Danielle Donna Katherine Clare Stephanie Stacey Lauren Jane Kirsty Kerry Jessica Kimberley "
    "Zoe Lindsay Jodie Carly Sophie Cheryl Tracey Chantelle Natasha Vicky Toni Abigail Heather",
    "Rebecca Lauren Jessica Charlotte Hannah Sophie Amy Emily Laura Emma Chloe Sarah Lucy Katie "
    "Bethany Jade Megan Danielle Alice Olivia Leah Eleanor Shannon Georgia Paige Abigail Molly "
    "Ellie Holly Courtney Natasha Chelsea Jodie Amber Kayleigh Zoe Caitlin Jasmine Demi Grace "
    "Ella Mia Tia Skye Tegan Poppy Libby Erin Freya Keira Aimee Nicole Shanice Kiera Morgan",
)
_ASIAN_BOYS = (
    "Mohammed Muhammad Mohammad Ahmed Ali Imran Abdul Adil Amir Asif Bilal Faisal Hamza Haroon "
    "Hassan Hussain Ibrahim Irfan Kamran Khalid Kashif Naveed Nadeem Omar Rashid Saqib Shahid "
    "Sajid Tariq Usman Waqas Yasir Zahid Zeeshan Rajesh Sanjay Amit Harpreet Gurpreet Jaspal "
    "Manjit Sukhdeep Ravi Vijay Anil Suresh Arjun"
)
_ASIAN_GIRLS = (
    "Aisha Fatima Nasreen Shabana Sadia Saima Samina Shazia Sobia Rukhsana Zainab Yasmin Nadia "
    "Farah Farzana Amina Khadija Maryam Priya Sunita Anita Manjit Harpreet Jaspreet Kavita Meena"
)
_BLACK_BOYS = (
    "Emmanuel Samuel Daniel David Michael Joshua Marcus Leon Andre Jermaine Tyrone Dwayne Curtis "
    "Kwame Kofi Ade Tunde Chidi Emeka Abdi Yusuf Ibrahim Isaac Elijah Reuben Malachi Nathaniel "
    "Delroy Winston Errol Carlton Trevor Anthony Paul Jerome Darnell Romario Kieron Shaquille"
)
_BLACK_GIRLS = (
    "Grace Blessing Comfort Mercy Abena Ama Chioma Ngozi Funmi Shanice Natalie Michelle Sharon "
    "Marcia Beverley Yvonne Claudette Simone Chantelle Latoya Tanisha Ebony Rochelle Naomi Esther"
)
_SURNAMES = (
    "Smith Jones Williams Taylor Brown Davies Evans Wilson Thomas Johnson Roberts Robinson Thompson "
    "Wright Walker White Edwards Hughes Green Hall Lewis Harris Clarke Jackson Wood Turner Martin "
    "Cooper Hill Ward Morris Moore Clark Lee King Baker Harrison Morgan Allen James Scott Phillips "
    "Watson Davis Parker Price Bennett Young Griffiths Mitchell Kelly Cook Carter Richardson Bailey "
    "Collins Bell Shaw Murphy Miller Cox Richards Marshall Anderson Simpson Ellis Adams Wilkinson "
    "Foster Chapman Powell Webb Rogers Gray Mason Hunt Hussey Palmer Holmes Mills Campbell Barnes "
    "Knight Matthews Barker Russell Fisher Butler Stevens Jenkins Murray Dixon Harvey Pearson "
    "Graham Fletcher Howard Gibson Andrews Elliott Reynolds Ford Fox Lloyd Stewart Fuller Payne "
    "Walsh West Day Brooks Atkinson Cole Bradley Pearce Dawson Lawrence Burton Spencer Gordon Dean "
    "Rose Watts Perry Wells Hart Booth Newman Ball Grant Hudson Ryan Woods Kennedy Ross Riley "
    "Robertson Hamilton Lane Stone Carr Cunningham Reid Bird Nicholls O'Brien O'Neill O'Connor "
    "McDonald McCarthy McKenzie McLean Nicholson Berry Byrne Doyle Gallagher Quinn Duffy Nolan "
    "Austin Barrett Burns Burke Cross Curtis Daniels Donnelly Francis Freeman George Gilbert Goodwin "
    "Gregory Hancock Hayes Hewitt Higgins Hopkins Hutchinson Jennings Johnston Lamb Lawson Little "
    "Long Lowe Lynch Marsh Moss Nash Norman Osborne Owen Page Parry Parsons Peters Pope Porter "
    "Potter Pritchard Rees Rhodes Rowe Saunders Sharp Slater Stephens Stephenson Sutton Sullivan "
    "Tucker Wade Waters Wallace Warren Watkins Weston Wheeler Whitehead Willis Winter Wyatt Yates"
)
_ASIAN_SURNAMES = (
    "Khan Ahmed Hussain Ali Patel Singh Begum Kaur Miah Mahmood Akhtar Iqbal Shah Malik Rahman "
    "Uddin Mohammed Choudhury Sharma Hassan Islam Bibi Sheikh Mirza Qureshi Aslam Anwar Rashid "
    "Gill Sandhu Dhillon Grewal Kumar Desai Mistry Parmar Chowdhury Butt Raja Siddiqui Zaman Haq"
)
_BLACK_SURNAMES = (
    "Williams Brown Campbell Johnson Thomas Francis Lewis Clarke Grant Gordon Bailey Reid Henry "
    "Joseph Charles Alexander Samuels Mensah Owusu Boateng Asante Osei Adeyemi Okafor Okoro Eze "
    "Adebayo Balogun Ibrahim Mohamed Ali Hassan Abdi Kamara Sesay Bangura Conteh Banda Moyo Ncube "
    "Palmer Morrison McKenzie Blake Dixon Graham Stewart Walters Bennett Powell Daley Barrett"
)
_EASTERN_SURNAMES = (
    "Kowalski Nowak Wisniewski Wojcik Kaminski Lewandowski Zielinski Szymanski Popescu Ionescu "
    "Popa Radu Dumitru Stan Kazlauskas Petrauskas Balciunas Novak Horvath Dvorak Petrov Ivanov "
    "Hoxha Shehu Dervishi Silva Santos Fernandes Costa Garcia Nguyen Tran Chen Wong Yilmaz Demir"
)
_STARTS = (
    "Ash Barn Beck Black Blen Brad Bram Brock Broad Burn Cald Carl Chad Clay Cold Cran Crow Dar "
    "Den Dun Ear East Elm Fair Farn Fen Gar Glad Gold Grim Hal Harg Hart Hath Hazel High Hol Horn "
    "Kel Kirk Lang Lin Lock Lud Mar Mel Mid New Nor Oak Old Pem Pick Pres Rad Raven Red Rock Ros "
    "Rush Sand Shel Shir Stan Stock Strat Sud Thorn Tod Under Wal Wen Whit Wil Win Wood Wool"
)
_ENDS = (
    "all bridge brook bury by combe cott croft dale den don field ford gate ham head hill holme "
    "hurst ingham land ley low man mere more ney over sall shaw side stead stone stow thorpe ton "
    "tree wald ward way well wick wood worth yard"
)
_RARE_STARTS = "Ja Ka De Ty Sha La Ra Da Ke Ma Ni Ro Ta Za Jo Le Re Ste Bra Co"
_RARE_ENDS_BOYS = "den ron vin quan mar nell von shawn rell kai ryn len mon cob rius"
_RARE_ENDS_GIRLS = "nelle nice leigh risha mara lena kira sha tia nessa lise rina vonne"

NICKNAMES = {
    short: full
    for full, shorts in {
        "Alexander": "Alex Sandy",
        "Andrew": "Andy",
        "Anthony": "Tony",
        "Benjamin": "Ben",
        "Bradley": "Brad",
        "Cameron": "Cam",
        "Charles": "Charlie Chas",
        "Christopher": "Chris",
        "Daniel": "Dan Danny",
        "David": "Dave",
        "Edward": "Ted Eddie",
        "Joseph": "Joe",
        "Joshua": "Josh",
        "Jonathan": "Jon",
        "James": "Jim Jimmy",
        "John": "Jack Johnny",
        "Kenneth": "Ken",
        "Matthew": "Matt",
        "Michael": "Mick Mike Mickey",
        "Mohammed": "Mo",
        "Nathan": "Nate",
        "Nicholas": "Nick",
        "Patrick": "Paddy",
        "Peter": "Pete",
        "Philip": "Phil",
        "Raymond": "Ray",
        "Richard": "Rick Dick",
        "Robert": "Bob Rob Bobby",
        "Ronald": "Ron",
        "Samuel": "Sam",
        "Stephen": "Steve",
        "Steven": "Stevie",
        "Stuart": "Stu",
        "Terence": "Tel",
        "Thomas": "Tom Tommy",
        "Timothy": "Tim",
        "William": "Bill Will Billy",
        "Abigail": "Abi",
        "Catherine": "Cath Kate",
        "Charlotte": "Lottie",
        "Christine": "Chris",
        "Deborah": "Debbie",
        "Elizabeth": "Liz Beth",
        "Jacqueline": "Jackie",
        "Jennifer": "Jenny",
        "Jessica": "Jess",
        "Katherine": "Kathy",
        "Kimberley": "Kim",
        "Margaret": "Maggie",
        "Natasha": "Tasha",
        "Patricia": "Pat Trish",
        "Rebecca": "Becky",
        "Samantha": "Sam",
        "Stephanie": "Steph",
        "Susan": "Sue",
        "Victoria": "Vicky",
    }.items()
    for short in shorts.split()
}
"""Short forms and what they stand for."""


class Pool(NamedTuple):
    """Names with cumulative shares."""

    names: pa.Array
    shares: Floats


def _common(names: str, offset: float) -> tuple[list[str], Floats]:
    """Names in order of frequency with weights that fall like 1 / (rank + offset)."""
    listed = list(dict.fromkeys(names.split()))
    return listed, 1.0 / (np.arange(len(listed)) + offset)


def _pool(names: str, offset: float, rare: list[str], rare_share: float) -> Pool:
    """Common names by rank, and rare ones that share what is left, some of them rarer still."""
    listed, weights = _common(names, offset)
    known = set(listed)
    others = [name for name in rare if name not in known]
    # a fixed scatter over the rare ones, so that frequency does not follow the alphabet
    scatter = 1.0 / (1.0 + (np.arange(len(others)) * 7919) % max(len(others), 1))
    scatter = scatter + 0.002
    shares = np.concatenate(
        [
            weights / weights.sum() * (1.0 - rare_share),
            scatter / max(scatter.sum(), 1e-300) * rare_share,
        ]
    )
    return Pool(pa.array(listed + others, pa.utf8()), np.cumsum(shares))


def _composed(starts: str, ends: str) -> list[str]:
    return [start + end for start in starts.split() for end in ends.split()]


_RARE_BOYS = _composed(_RARE_STARTS, _RARE_ENDS_BOYS)
_RARE_GIRLS = _composed(_RARE_STARTS, _RARE_ENDS_GIRLS)
_RARE_SURNAMES = _composed(_STARTS, _ENDS)

ERAS = (1965, 1980, 1995)
"""Years of birth at which forenames change."""
WHITE, ASIAN, BLACK, EASTERN = range(4)
"""Where a name comes from."""

FORENAMES = {
    **{(True, WHITE, era): _pool(names, 4.0, _RARE_BOYS, 0.04) for era, names in enumerate(_BOYS)},
    **{
        (False, WHITE, era): _pool(names, 4.0, _RARE_GIRLS, 0.05)
        for era, names in enumerate(_GIRLS)
    },
    (True, ASIAN, 0): _pool(_ASIAN_BOYS, 3.0, _RARE_BOYS, 0.03),
    (False, ASIAN, 0): _pool(_ASIAN_GIRLS, 3.0, _RARE_GIRLS, 0.03),
    (True, BLACK, 0): _pool(_BLACK_BOYS, 5.0, _RARE_BOYS, 0.10),
    (False, BLACK, 0): _pool(_BLACK_GIRLS, 5.0, _RARE_GIRLS, 0.10),
}
SURNAMES = {
    WHITE: _pool(_SURNAMES, 9.0, _RARE_SURNAMES, 0.55),
    ASIAN: _pool(_ASIAN_SURNAMES, 3.0, _RARE_SURNAMES, 0.02),
    BLACK: _pool(_BLACK_SURNAMES, 6.0, _RARE_SURNAMES, 0.10),
    EASTERN: _pool(_EASTERN_SURNAMES, 5.0, _RARE_SURNAMES, 0.05),
}


def draw(pool: Pool, u: Floats) -> pa.Array:
    """Return one name for each uniform number."""
    place = np.searchsorted(pool.shares, u, side="right")
    return pool.names.take(pa.array(np.minimum(place, len(pool.names) - 1)))


def draw_groups(pools: list[Pool], group: NDArray[np.int64], u: Floats) -> pa.Array:
    """Return one name for each row, from the pool that the row's group says."""
    pieces, positions = [], []
    for number, pool in enumerate(pools):
        rows = np.flatnonzero(group == number)
        pieces.append(draw(pool, u[rows]))
        positions.append(rows)
    order = np.argsort(np.concatenate(positions), kind="stable")
    return pa.concat_arrays(pieces).take(pa.array(order))
