module clusterup.dev/clusterup/tools/echo

go 1.26.7
