"""Measure what each rule of a configuration does over many connections: how often it matches and decides."""
