module clusterup.dev/clusterup/tools/pause

go 1.26.7
