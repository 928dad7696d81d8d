"""Waivers: a violation that somebody answers for, of one rule by one resource, until a day that is named."""
