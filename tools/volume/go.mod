module clusterup.dev/clusterup/tools/volume

go 1.26.7
