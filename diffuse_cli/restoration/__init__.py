"""Problems solved: the posterior mean, samples and their uncertainty, and wide holes. Knows pixels, no file names."""
