"""Explain a configuration's network rules as readable logic, and the decision over single connections step by step."""
