"""Finding the people of a submission in the national records, and saying who was not found."""
