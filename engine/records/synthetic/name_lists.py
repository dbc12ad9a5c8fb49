"""Words that names are drawn from: common ones in order of frequency, and parts of rare ones."""

from __future__ import annotations

BOYS = (
    (
        "John David Michael Peter Robert Anthony Brian Alan William James Richard Kenneth "
        "Roger Keith Colin Christopher Raymond Terence Barry Graham Derek Stephen Philip "
        "Trevor Malcolm Geoffrey Ronald Paul Ian Dennis George Thomas Roy Martin Leslie Frank "
        "Edward Gordon Charles Stuart Patrick Clive Neil Norman Eric Andrew Kevin Joseph "
        "Arthur Nigel Gerald Bernard Donald"
    ),
    (
        "Paul David Andrew Stephen Mark Michael Ian Gary Robert Richard Peter John Anthony "
        "Christopher Darren Kevin Martin Simon Philip Graham Colin Adrian Nigel Alan Neil "
        "Shaun Jonathan Nicholas Stuart Timothy Wayne Brian James Carl Jason Lee Craig Dean "
        "Steven Matthew Jeremy William Sean Barry Russell Julian Karl Damian Daniel Scott "
        "Justin Duncan Glen Patrick Joseph Dale Trevor"
    ),
    (
        "Christopher James David Daniel Michael Matthew Andrew Richard Paul Mark Thomas Adam "
        "Robert John Lee Benjamin Steven Jonathan Craig Stephen Simon Nicholas Peter Anthony "
        "Alexander Gary Ian Ryan Darren Barry Liam Ashley Joshua Jamie Scott Luke Kevin Dean "
        "Sean Carl Philip Stuart Martin Neil Shane Gareth Nathan Aaron Kieran Samuel Joseph "
        "William Jordan Kyle Wayne Danny Jake Karl Ricky Damien Terry Dale Leon Marcus Curtis "
        "Bradley Josh Tony Jason"
    ),
    (
        "Jack Daniel Thomas James Joshua Matthew Ryan Joseph Samuel Liam Jordan Luke Connor "
        "Alexander Benjamin Adam Harry Jake George Callum William Michael Oliver Lewis "
        "Christopher Kieran Nathan Bradley Charlie Jamie Aaron Kyle Alfie Robert Tyler Mason "
        "Reece Ethan Owen Dylan Max Ben Harvey Louis Cameron Brandon Leon Declan Mohammed Jay "
        "Corey Billy Tyrone Riley Kai Zak Ellis Toby Archie Rhys Kane Marcus Joel Logan Sean "
        "Finley"
    ),
)
"""Boys born before 1965, 1965 to 1979, 1980 to 1994, from 1995."""

GIRLS = (
    (
        "Susan Margaret Christine Patricia Linda Carol Jean Barbara Mary Ann Maureen Sandra "
        "Janet Elizabeth Pauline Brenda Jacqueline Kathleen Sheila Joan Pamela Anne Jennifer "
        "Gillian Marion Valerie Judith Elaine Hilary Lesley Rosemary Diane Doreen Irene "
        "Eileen Dorothy Helen"
    ),
    (
        "Susan Julie Karen Jacqueline Deborah Tracey Jane Helen Diane Sharon Tracy Angela "
        "Sarah Alison Caroline Amanda Sandra Linda Catherine Elizabeth Carol Joanne Wendy "
        "Janet Dawn Christine Nicola Michelle Lisa Claire Donna Paula Lorraine Louise "
        "Samantha Maria Beverley Mandy Jennifer Debra Lesley Emma Rachel Tina Kerry Cheryl "
        "Marie Clare"
    ),
    (
        "Sarah Laura Gemma Emma Rebecca Claire Victoria Samantha Rachel Amy Jennifer Nicola "
        "Katie Lisa Kelly Natalie Louise Michelle Hayley Hannah Helen Charlotte Joanne Lucy "
        "Elizabeth Leanne Danielle Donna Katherine Clare Stephanie Stacey Lauren Jane Kirsty "
        "Kerry Jessica Kimberley Zoe Lindsay Jodie Carly Sophie Cheryl Tracey Chantelle "
        "Natasha Vicky Toni Abigail Heather"
    ),
    (
        "Rebecca Lauren Jessica Charlotte Hannah Sophie Amy Emily Laura Emma Chloe Sarah Lucy "
        "Katie Bethany Jade Megan Danielle Alice Olivia Leah Eleanor Shannon Georgia Paige "
        "Abigail Molly Ellie Holly Courtney Natasha Chelsea Jodie Amber Kayleigh Zoe Caitlin "
        "Jasmine Demi Grace Ella Mia Tia Skye Tegan Poppy Libby Erin Freya Keira Aimee Nicole "
        "Shanice Kiera Morgan"
    ),
)
"""Girls, in the same four times."""

ASIAN_BOYS = (
    "Mohammed Muhammad Mohammad Ahmed Ali Imran Abdul Adil Amir Asif Bilal Faisal Hamza "
    "Haroon Hassan Hussain Ibrahim Irfan Kamran Khalid Kashif Naveed Nadeem Omar Rashid "
    "Saqib Shahid Sajid Tariq Usman Waqas Yasir Zahid Zeeshan Rajesh Sanjay Amit Harpreet "
    "Gurpreet Jaspal Manjit Sukhdeep Ravi Vijay Anil Suresh Arjun"
)

ASIAN_GIRLS = (
    "Aisha Fatima Nasreen Shabana Sadia Saima Samina Shazia Sobia Rukhsana Zainab Yasmin "
    "Nadia Farah Farzana Amina Khadija Maryam Priya Sunita Anita Manjit Harpreet Jaspreet "
    "Kavita Meena"
)

BLACK_BOYS = (
    "Emmanuel Samuel Daniel David Michael Joshua Marcus Leon Andre Jermaine Tyrone Dwayne "
    "Curtis Kwame Kofi Ade Tunde Chidi Emeka Abdi Yusuf Ibrahim Isaac Elijah Reuben "
    "Malachi Nathaniel Delroy Winston Errol Carlton Trevor Anthony Paul Jerome Darnell "
    "Romario Kieron Shaquille"
)

BLACK_GIRLS = (
    "Grace Blessing Comfort Mercy Abena Ama Chioma Ngozi Funmi Shanice Natalie Michelle "
    "Sharon Marcia Beverley Yvonne Claudette Simone Chantelle Latoya Tanisha Ebony "
    "Rochelle Naomi Esther"
)

BRITISH_SURNAMES = (
    "Smith Jones Williams Taylor Brown Davies Evans Wilson Thomas Johnson Roberts "
    "Robinson Thompson Wright Walker White Edwards Hughes Green Hall Lewis Harris Clarke "
    "Jackson Wood Turner Martin Cooper Hill Ward Morris Moore Clark Lee King Baker "
    "Harrison Morgan Allen James Scott Phillips Watson Davis Parker Price Bennett Young "
    "Griffiths Mitchell Kelly Cook Carter Richardson Bailey Collins Bell Shaw Murphy "
    "Miller Cox Richards Marshall Anderson Simpson Ellis Adams Wilkinson Foster Chapman "
    "Powell Webb Rogers Gray Mason Hunt Hussey Palmer Holmes Mills Campbell Barnes Knight "
    "Matthews Barker Russell Fisher Butler Stevens Jenkins Murray Dixon Harvey Pearson "
    "Graham Fletcher Howard Gibson Andrews Elliott Reynolds Ford Fox Lloyd Stewart Fuller "
    "Payne Walsh West Day Brooks Atkinson Cole Bradley Pearce Dawson Lawrence Burton "
    "Spencer Gordon Dean Rose Watts Perry Wells Hart Booth Newman Ball Grant Hudson Ryan "
    "Woods Kennedy Ross Riley Robertson Hamilton Lane Stone Carr Cunningham Reid Bird "
    "Nicholls O'Brien O'Neill O'Connor McDonald McCarthy McKenzie McLean Nicholson Berry "
    "Byrne Doyle Gallagher Quinn Duffy Nolan Austin Barrett Burns Burke Cross Curtis "
    "Daniels Donnelly Francis Freeman George Gilbert Goodwin Gregory Hancock Hayes Hewitt "
    "Higgins Hopkins Hutchinson Jennings Johnston Lamb Lawson Little Long Lowe Lynch "
    "Marsh Moss Nash Norman Osborne Owen Page Parry Parsons Peters Pope Porter Potter "
    "Pritchard Rees Rhodes Rowe Saunders Sharp Slater Stephens Stephenson Sutton Sullivan "
    "Tucker Wade Waters Wallace Warren Watkins Weston Wheeler Whitehead Willis Winter "
    "Wyatt Yates"
)

ASIAN_SURNAMES = (
    "Khan Ahmed Hussain Ali Patel Singh Begum Kaur Miah Mahmood Akhtar Iqbal Shah Malik "
    "Rahman Uddin Mohammed Choudhury Sharma Hassan Islam Bibi Sheikh Mirza Qureshi Aslam "
    "Anwar Rashid Gill Sandhu Dhillon Grewal Kumar Desai Mistry Parmar Chowdhury Butt "
    "Raja Siddiqui Zaman Haq"
)

BLACK_SURNAMES = (
    "Williams Brown Campbell Johnson Thomas Francis Lewis Clarke Grant Gordon Bailey Reid "
    "Henry Joseph Charles Alexander Samuels Mensah Owusu Boateng Asante Osei Adeyemi "
    "Okafor Okoro Eze Adebayo Balogun Ibrahim Mohamed Ali Hassan Abdi Kamara Sesay "
    "Bangura Conteh Banda Moyo Ncube Palmer Morrison McKenzie Blake Dixon Graham Stewart "
    "Walters Bennett Powell Daley Barrett"
)

EASTERN_SURNAMES = (
    "Kowalski Nowak Wisniewski Wojcik Kaminski Lewandowski Zielinski Szymanski Popescu "
    "Ionescu Popa Radu Dumitru Stan Kazlauskas Petrauskas Balciunas Novak Horvath Dvorak "
    "Petrov Ivanov Hoxha Shehu Dervishi Silva Santos Fernandes Costa Garcia Nguyen Tran "
    "Chen Wong Yilmaz Demir"
)

STARTS = (
    "Ash Barn Beck Black Blen Brad Bram Brock Broad Burn Cald Carl Chad Clay Cold Cran "
    "Crow Dar Den Dun Ear East Elm Fair Farn Fen Gar Glad Gold Grim Hal Harg Hart Hath "
    "Hazel High Hol Horn Kel Kirk Lang Lin Lock Lud Mar Mel Mid New Nor Oak Old Pem Pick "
    "Pres Rad Raven Red Rock Ros Rush Sand Shel Shir Stan Stock Strat Sud Thorn Tod Under "
    "Wal Wen Whit Wil Win Wood Wool"
)
"""Beginnings of rare surnames."""

ENDS = (
    "all bridge brook bury by combe cott croft dale den don field ford gate ham head hill "
    "holme hurst ingham land ley low man mere more ney over sall shaw side stead stone "
    "stow thorpe ton tree wald ward way well wick wood worth yard"
)
"""Endings of rare surnames."""

RARE_STARTS = "Ja Ka De Ty Sha La Ra Da Ke Ma Ni Ro Ta Za Jo Le Re Ste Bra Co"
"""Beginnings of rare forenames."""

RARE_ENDS_BOYS = "den ron vin quan mar nell von shawn rell kai ryn len mon cob rius"

RARE_ENDS_GIRLS = "nelle nice leigh risha mara lena kira sha tia nessa lise rina vonne"

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
