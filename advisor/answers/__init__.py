"""Turn domain results into JSON-ready answers, with their sentences: what the API sends and the command line prints.

parts          what answers share: sources, dates, thresholds, observations
assessments    verdicts, findings and what to do
programs       the programs and their criteria
fees           fee schedules, estimates, advice
offers         planned pre-sales, product listings
red_lines      texts and declared facts
journey        the programs in reach, the stages

Money and rates become decimal texts, dates ISO texts. What depends on the rules alone is built once per rule.
"""
