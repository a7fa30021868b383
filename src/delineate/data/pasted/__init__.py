"""Pictures made of the user's own labelled objects, cut out and pasted elsewhere."""
