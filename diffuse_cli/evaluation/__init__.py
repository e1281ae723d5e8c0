"""Quality and speed, measured: `diffuse evaluate` and `diffuse bench`. Nothing restores with it.

May import: `tasks` and below.
Start with: `plan.py` and `evaluate.py` for quality, `protocol.py` for the test protocols, `pairs.py` for real pairs,
`benchmark.py` for speed.

`diffuse evaluate` damages clean pictures, restores them and compares the results with the originals. It follows the
protocols of the literature:

- denoise: white Gaussian noise of std 15, 25 and 50 levels, for each picture from numpy's RandomState(0). It is neither
  clipped nor rounded. The nominal level is told. With --as-files the noise is clipped and rounded to 8 bits. With
  --blind the level is estimated, and the noise is as in files. With --jpeg it is stored as JPEG, 4:2:0.
- camera, film: a sensor's noise of ISO 800, 1600 and 6400, or film grain of 4, 8 and 16 levels (degradation/camera.py),
  rounded. The picture's name seeds it.
- pairs: real noisy photographs with their clean partners.
- super-resolve: factors 2, 3 and 4. The original is cropped to multiples of the factor, shrunk by antialiased bicubic
  (a = -0.5) and rounded. PSNR and SSIM are taken on Y (BT.601, 16..235), without a border as wide as the factor.
- jpeg: quality 10, 20 and 40. Pillow compresses, with 4:2:0 subsampling.
- deblur: a Gaussian of std 0.8, 1.6 and 2.4 pixels. The result is rounded.
- inpaint: text on 13 %, strokes on 21 %, boxes on 10 % and dust on 5 % of the picture. --level sets the share. The
  picture's name seeds the mask.
- restore: mixtures. 1: noise 15, JPEG 75. 2: blur 1.2, noise 10, JPEG 60. 3: blur 0.8, shrinking by 2, noise 10,
  JPEG 60. The network is told what was done.
- generate: pictures from nothing, compared with crops of the folder's pictures by the sliced Wasserstein distance of
  their patches (Karras et al. 2018, arXiv:1710.10196).

Noise of camera, film and pairs, and noise in JPEGs, is measured as `denoise` and `restore` find it by default, and with
the true level and grain told.

Results are rounded to 8 bits before they are compared. PSNR counts all channels together; equal pictures count as 100
dB. SSIM has a Gaussian window of 11x11 pixels (Wang et al. 2004). HaarPSI and LPIPS are measured if they are installed.
Means come with 95 % bootstrap intervals over the pictures. Seconds are per megapixel of the result. A picture that
fails under one condition counts under none.
"""
