"""The advisor's judgement, pure: no files, clock, environment, network, floats or sentences.

`assess` holds an account against a program, `estimate` prices sales, `advise` puts both together. They take dates as
arguments and return codes and integers; money is in minor units, rates are in parts per million.
"""
