"""Turn request bodies into domain objects: schemas check the shape, then names and money are read by the rule data.

values         single values: a type of field each
bodies         objects, lists, and the problems found in them
parameters     named parameters of a query, a form or a command line
accounts       the programs, facts and observations of an account
assessments    requests to assess
sellers        accounts to keep, and their snapshots
fees           requests to price sales and to weigh joining
rows           a body as a row of a file
offers         planned pre-sales, product listings
red_lines      texts and declared facts
journey        the whole of a seller's journey
webhooks       where events are to be sent

Whatever is wrong ends as one `InvalidInput` with a JSON pointer, a stable code and a sentence for every wrong value.
Unknown fields are refused; null or absent means unknown.
"""
