"""How fast it is: backends run alternately, a photo's whole way, start-up, and where time goes.

Numbers from a busy machine scatter. Backends therefore alternate, run by run, so that what
disturbs one disturbs all; medians are compared, and the quartiles stand beside them.
"""
