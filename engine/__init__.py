"""The method: from tables of people to matched comparisons, balance and estimates."""
