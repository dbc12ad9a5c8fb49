"""The rules of disclosure control, by the part of the results that they are for."""
