"""How fast it is: contestants that take turns, a photo's whole way, start-up, and where time goes.

Numbers from a busy machine scatter. Contestants therefore alternate, run by run, so that what
disturbs one disturbs all; medians are compared, and the quartiles stand beside them.
"""
