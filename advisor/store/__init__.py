"""What the advisor remembers: tables, transactions on SQLite or PostgreSQL, and the migrations between their layouts.

tables       every table, as SQLModel classes
database     one database: transactions, its clock, and its faults as two errors
disk         how much room is left, and what is really on the disk
schema       the layout's version: upgrade, downgrade, check and backup (Alembic; the steps are in migrations/)
"""
