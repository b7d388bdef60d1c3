"""``make bench-faults``: the same faults put to a group of ours and to Heat's own, on a real cloud."""
