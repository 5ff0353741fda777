"""A configuration's network rules as logic that people read, and the decision over single connections step by step."""
