"""`trunkline check`: what would keep a pod from carrying calls, and the remedy.

A root, as a pod's compose is: it knows settings and adapters. `items` is what is said and `report`
how; `ground` is what can be known without asking anybody; each other module asks one of the
parties, and `run` has them all asked at once, each within its deadline. Nothing is changed
anywhere, nothing costs money, and no secret is ever part of an item.
"""
