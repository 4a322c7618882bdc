# A file that is there in one version of the module and not in the next.
