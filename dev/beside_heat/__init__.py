"""A group of ours and one of Heat's, side by side on one real cloud: what the comparisons share."""
