from tsprune.detect.threshold import Threshold
