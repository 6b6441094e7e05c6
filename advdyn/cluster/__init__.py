"""Running on a cluster: the site's facts, a check before anything is submitted, patience with Slurm, resuming.

Nothing of the science is here, and no rule's code imports it: how a run is carried out changes no result.
"""
