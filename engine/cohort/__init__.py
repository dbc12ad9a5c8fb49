"""The cohort: the index disposal of each person, the comparison pool, and who was lost and why."""
