"""Layer kinds, one file each. Files that begin with an underscore hold what several kinds share."""
