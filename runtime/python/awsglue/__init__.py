"""The part of AWS Glue's Python library that a shell job needs.

`awsglue.utils` has getResolvedOptions.  The rest of AWS's package drives
Spark, which a Python shell job does not have, so it is not here.
"""
