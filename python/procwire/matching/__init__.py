"""The matching engine of Sysmon configurations and Sigma rules: decides which of many tests many events fulfil.

There are many events, but few of their values differ in what rules test. So each test runs once per distinct value of
its column (`text_index`), values that fulfil the same tests become one class (`value_classes`), and rules are decided
once per combination of classes that occurs in a row (`combinations`), from the numbers of the fulfilled tests
(`deciders`).

Tests are neutral: `text_tests.TextTest` knows neither Sysmon's conditions nor Sigma's modifiers. Both share the folding
of case (`folding`) and the rendering of values as text (`rendering`).
"""
