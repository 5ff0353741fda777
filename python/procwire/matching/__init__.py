"""Decide for many events which of many tests they fulfil: what Sysmon configurations and Sigma rules have in common.

Events are many, and few of their values differ in what the rules ask. So each test runs once per distinct value of its
column (`text_index`), values that fulfil the same tests become one class (`value_classes`), and rules are decided once
per combination of classes that occurs in a row (`combinations`), from the numbers of the fulfilled tests (`deciders`).

Tests are neutral: `text_tests.TextTest` knows neither Sysmon's conditions nor Sigma's modifiers. Case is folded one way
(`folding`), and values become text one way (`rendering`).
"""
