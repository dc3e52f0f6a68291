# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_breakglass_global_optspecs
    string join \n kit= cluster= sandbox kubeconfig= context= s/server= tls-server-name= certificate-authority= client-certificate= client-key= token= n/namespace= request-timeout= via= recovery access reason= y/yes consent= fanout= batch= canary no-canary max-failures= o/output= color= v/verbose h/help V/version
end

function __fish_breakglass_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_breakglass_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_breakglass_using_subcommand
    set -l cmd (__fish_breakglass_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c breakglass -n "__fish_breakglass_needs_command" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_needs_command" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_needs_command" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_needs_command" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_needs_command" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_needs_command" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_needs_command" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_needs_command" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_needs_command" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_needs_command" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_needs_command" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_needs_command" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_needs_command" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_needs_command" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_needs_command" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_needs_command" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_needs_command" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_needs_command" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_needs_command" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_needs_command" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_needs_command" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_needs_command" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_needs_command" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_needs_command" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_needs_command" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_needs_command" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_needs_command" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_needs_command" -s V -l version -d 'Print version'
complete -c breakglass -n "__fish_breakglass_needs_command" -f -a "run" -d 'Run a runbook: shows the plan, asks, does it, keeps a journal'
complete -c breakglass -n "__fish_breakglass_needs_command" -f -a "drill" -d 'Rehearse a runbook: looks for real, pretends the writes, by the same engine in the same order'
complete -c breakglass -n "__fish_breakglass_needs_command" -f -a "plan" -d 'Print a runbook\'s plan: every request with its body, every command with its text; contacts no API server and no host'
complete -c breakglass -n "__fish_breakglass_needs_command" -f -a "resume" -d 'Go on with a run that was stopped, killed or left half done'
complete -c breakglass -n "__fish_breakglass_needs_command" -f -a "undo" -d 'Take back what stands of a run, newest first, by the journal alone'
complete -c breakglass -n "__fish_breakglass_needs_command" -f -a "runs" -d 'List the runs, newest first, with what of them still stands'
complete -c breakglass -n "__fish_breakglass_needs_command" -f -a "show" -d 'Tell a run again from its journal: what was seen, done and answered, in the words of the run itself'
complete -c breakglass -n "__fish_breakglass_needs_command" -f -a "status" -d 'Every change of ours that still stands, whose it is, what ends it by itself, and what takes it back'
complete -c breakglass -n "__fish_breakglass_needs_command" -f -a "journal" -d 'Work on the records of runs'
complete -c breakglass -n "__fish_breakglass_needs_command" -f -a "top" -d 'Who loads the API servers: users, what they ask for, from where, and the workload behind them, with or without the API'
complete -c breakglass -n "__fish_breakglass_needs_command" -f -a "gate" -d 'Block the admin API\'s ports for all but the operator and the control plane, and let everybody back in stages'
complete -c breakglass -n "__fish_breakglass_needs_command" -f -a "delete" -d 'Delete one object by its exact name: two API requests, saved first so that `undo` can put it back'
complete -c breakglass -n "__fish_breakglass_needs_command" -f -a "remove-finalizers" -d 'End an object that was deleted and does not go away: take the finalizers that hold it off it, by typed consent'
complete -c breakglass -n "__fish_breakglass_needs_command" -f -a "park" -d 'Take a workload, or all of a namespace, out of the way without deleting it; `undo` puts it back as it was'
complete -c breakglass -n "__fish_breakglass_needs_command" -f -a "release" -d 'Let a parked workload come back in stages; a stage that goes badly takes all of it back by itself'
complete -c breakglass -n "__fish_breakglass_needs_command" -f -a "rollback" -d 'Put the pod template of a DaemonSet, StatefulSet or Deployment back to the revision before'
complete -c breakglass -n "__fish_breakglass_needs_command" -f -a "end-pods" -d 'End the pods of one workload through the API, and none but those'
complete -c breakglass -n "__fish_breakglass_needs_command" -f -a "freeze-pods" -d 'Freeze a workload\'s pods on their nodes, over SSH, without any API server; they go on by `undo`, and by themselves after their time'
complete -c breakglass -n "__fish_breakglass_needs_command" -f -a "revoke" -d 'Take away what RBAC allows a service account, user or group; `undo` puts the bindings back'
complete -c breakglass -n "__fish_breakglass_needs_command" -f -a "revoke-tokens" -d 'Have every token of a service account refused: its account is deleted; `undo` makes it anew, not the tokens'
complete -c breakglass -n "__fish_breakglass_needs_command" -f -a "jail" -d 'Have the API servers refuse one client, by a file of their hosts and no API request; `undo` lets it out again'
complete -c breakglass -n "__fish_breakglass_needs_command" -f -a "throttle" -d 'Let in one request of a client at a time, by priority and fairness; `undo` takes that back'
complete -c breakglass -n "__fish_breakglass_needs_command" -f -a "restore-rights" -d 'Put the rights of administrators back where their binding is gone, empty or gives another role'
complete -c breakglass -n "__fish_breakglass_needs_command" -f -a "disarm" -d 'Take an admission webhook or policy that refuses or hangs out of the way; `undo` arms it again as it was'
complete -c breakglass -n "__fish_breakglass_needs_command" -f -a "freeze-automation" -d 'Keep an object from being put back: freeze the GitOps that manages it, from the top down; `undo` gives it back as it was'
complete -c breakglass -n "__fish_breakglass_needs_command" -f -a "thaw-automation" -d 'Give back what `freeze-automation` took, by the marks in the objects: for a run whose journal is elsewhere'
complete -c breakglass -n "__fish_breakglass_needs_command" -f -a "refuse-return" -d 'Keep one object away: API servers refuse whoever makes it again, until a time; `undo` lets it in'
complete -c breakglass -n "__fish_breakglass_needs_command" -f -a "probe" -d 'Look at each API server and say which layer is broken: network, TLS, credential, overload, process, etcd'
complete -c breakglass -n "__fish_breakglass_needs_command" -f -a "access" -d 'See which credential of the cluster a control-plane host has, or have one signed there; runbooks use it in later steps'
complete -c breakglass -n "__fish_breakglass_needs_command" -f -a "recovery-apiserver" -d 'A private API server beside a drowned or broken one, on a control-plane host\'s loopback, for this tool\'s own requests'
complete -c breakglass -n "__fish_breakglass_needs_command" -f -a "rescue-manifest" -d 'Bring back a component that its static pod keeps down: the bad flag or the stray file out; `undo` puts it back'
complete -c breakglass -n "__fish_breakglass_needs_command" -f -a "renew-certificates" -d 'Renew the control plane\'s certificates that have ended, with the CA on their own host; `undo` puts the old ones back'
complete -c breakglass -n "__fish_breakglass_needs_command" -f -a "scale-apiserver" -d 'Give API servers more room by their static-pod manifests, one host at a time; `undo` puts the old text back'
complete -c breakglass -n "__fish_breakglass_needs_command" -f -a "prepare" -d 'Prepare a cluster in peace for what has to be quick in an incident'
complete -c breakglass -n "__fish_breakglass_needs_command" -f -a "kit" -d 'Look after the kit: what was prepared in peace'
complete -c breakglass -n "__fish_breakglass_needs_command" -f -a "runbook" -d 'Read runbooks: what they do, what they take, what is wrong with them'
complete -c breakglass -n "__fish_breakglass_needs_command" -f -a "sandbox" -d 'Keep the embedded practice cluster up, with a kit for it, and work on it from another terminal'
complete -c breakglass -n "__fish_breakglass_needs_command" -f -a "steps" -d 'What a step of a runbook can be, with every parameter'
complete -c breakglass -n "__fish_breakglass_needs_command" -f -a "options" -d 'List the flags that every verb takes: clusters, connection, safety, output'
complete -c breakglass -n "__fish_breakglass_needs_command" -f -a "completions" -d 'Print the completions of a shell'
complete -c breakglass -n "__fish_breakglass_using_subcommand run" -s p -l param -d 'A parameter of the runbook; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand run" -l params -d 'A YAML file of parameters; those of the command line win' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand run" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand run" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand run" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand run" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand run" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand run" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand run" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand run" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand run" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand run" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand run" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand run" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand run" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand run" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand run" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand run" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand run" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand run" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand run" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand run" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand run" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand run" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand run" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand run" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand run" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand run" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand run" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_using_subcommand drill" -s p -l param -d 'A parameter of the runbook; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand drill" -l params -d 'A YAML file of parameters; those of the command line win' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand drill" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand drill" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand drill" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand drill" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand drill" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand drill" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand drill" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand drill" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand drill" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand drill" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand drill" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand drill" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand drill" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand drill" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand drill" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand drill" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand drill" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand drill" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand drill" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand drill" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand drill" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand drill" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand drill" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand drill" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand drill" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand drill" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand drill" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand drill" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_using_subcommand plan" -s p -l param -d 'A parameter of the runbook; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand plan" -l params -d 'A YAML file of parameters; those of the command line win' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand plan" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand plan" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand plan" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand plan" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand plan" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand plan" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand plan" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand plan" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand plan" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand plan" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand plan" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand plan" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand plan" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand plan" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand plan" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand plan" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand plan" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand plan" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand plan" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand plan" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand plan" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand plan" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand plan" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand plan" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand plan" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand plan" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand plan" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand plan" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_using_subcommand resume" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand resume" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand resume" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand resume" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand resume" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand resume" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand resume" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand resume" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand resume" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand resume" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand resume" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand resume" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand resume" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand resume" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand resume" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand resume" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand resume" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand resume" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand resume" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand resume" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand resume" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand resume" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand resume" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand resume" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand resume" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand resume" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand resume" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand resume" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_using_subcommand undo" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand undo" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand undo" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand undo" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand undo" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand undo" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand undo" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand undo" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand undo" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand undo" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand undo" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand undo" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand undo" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand undo" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand undo" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand undo" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand undo" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand undo" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand undo" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand undo" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand undo" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand undo" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand undo" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand undo" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand undo" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand undo" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand undo" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand undo" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_using_subcommand runs" -l limit -d 'At most this many' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runs" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand runs" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runs" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand runs" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runs" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runs" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runs" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand runs" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand runs" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand runs" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runs" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runs" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runs" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runs" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runs" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runs" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runs" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runs" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runs" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand runs" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand runs" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand runs" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand runs" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand runs" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand runs" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand runs" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand runs" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand runs" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_using_subcommand show" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand show" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand show" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand show" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand show" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand show" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand show" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand show" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand show" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand show" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand show" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand show" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand show" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand show" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand show" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand show" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand show" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand show" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand show" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand show" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand show" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand show" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand show" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand show" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand show" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand show" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand show" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_using_subcommand status" -l targets -d 'Only these hosts, by their names in the kit [default: all]' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand status" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand status" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand status" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand status" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand status" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand status" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand status" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand status" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand status" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand status" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand status" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand status" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand status" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand status" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand status" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand status" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand status" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand status" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand status" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand status" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand status" -l api -d 'List objects with our marks in the API, too: up to 23 LISTs of metadata for each cluster, in pages of 500, at most 10 each'
complete -c breakglass -n "__fish_breakglass_using_subcommand status" -l exit-code -d 'End with 9 when something stands, with 4 or 7 when something that was to be looked at could not be'
complete -c breakglass -n "__fish_breakglass_using_subcommand status" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand status" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand status" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand status" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand status" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand status" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand status" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and not __fish_seen_subcommand_from verify" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and not __fish_seen_subcommand_from verify" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and not __fish_seen_subcommand_from verify" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and not __fish_seen_subcommand_from verify" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and not __fish_seen_subcommand_from verify" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and not __fish_seen_subcommand_from verify" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and not __fish_seen_subcommand_from verify" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and not __fish_seen_subcommand_from verify" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and not __fish_seen_subcommand_from verify" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and not __fish_seen_subcommand_from verify" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and not __fish_seen_subcommand_from verify" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and not __fish_seen_subcommand_from verify" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and not __fish_seen_subcommand_from verify" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and not __fish_seen_subcommand_from verify" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and not __fish_seen_subcommand_from verify" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and not __fish_seen_subcommand_from verify" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and not __fish_seen_subcommand_from verify" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and not __fish_seen_subcommand_from verify" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and not __fish_seen_subcommand_from verify" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and not __fish_seen_subcommand_from verify" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and not __fish_seen_subcommand_from verify" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and not __fish_seen_subcommand_from verify" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and not __fish_seen_subcommand_from verify" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and not __fish_seen_subcommand_from verify" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and not __fish_seen_subcommand_from verify" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and not __fish_seen_subcommand_from verify" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and not __fish_seen_subcommand_from verify" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and not __fish_seen_subcommand_from verify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and not __fish_seen_subcommand_from verify" -f -a "verify" -d 'Prove that the lines of a run\'s journal follow from one another, and that none is missing'
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and __fish_seen_subcommand_from verify" -l head -d 'A hash that the last line had, as it was noted elsewhere: at least its first 16 digits' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and __fish_seen_subcommand_from verify" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and __fish_seen_subcommand_from verify" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and __fish_seen_subcommand_from verify" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and __fish_seen_subcommand_from verify" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and __fish_seen_subcommand_from verify" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and __fish_seen_subcommand_from verify" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and __fish_seen_subcommand_from verify" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and __fish_seen_subcommand_from verify" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and __fish_seen_subcommand_from verify" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and __fish_seen_subcommand_from verify" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and __fish_seen_subcommand_from verify" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and __fish_seen_subcommand_from verify" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and __fish_seen_subcommand_from verify" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and __fish_seen_subcommand_from verify" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and __fish_seen_subcommand_from verify" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and __fish_seen_subcommand_from verify" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and __fish_seen_subcommand_from verify" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and __fish_seen_subcommand_from verify" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and __fish_seen_subcommand_from verify" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and __fish_seen_subcommand_from verify" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and __fish_seen_subcommand_from verify" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and __fish_seen_subcommand_from verify" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and __fish_seen_subcommand_from verify" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and __fish_seen_subcommand_from verify" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and __fish_seen_subcommand_from verify" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and __fish_seen_subcommand_from verify" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and __fish_seen_subcommand_from verify" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand journal; and __fish_seen_subcommand_from verify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_using_subcommand top" -l source -d 'Read only this; may be given several times' -r -f -a "audit\t''
requests\t''
log\t''
sockets\t''
gate\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand top" -l last -d 'How far back logs are read, by the hosts\' own clocks' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand top" -l most-mb -d 'The most of its newest logs that a host reads, in megabytes' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand top" -l audit-log -d 'The audit log on the hosts; without it, the one that the running kube-apiserver was told to write' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand top" -l server-log -d 'The API server\'s own log on the hosts; without it, where the kubelet or journald keeps it' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand top" -l rows -d 'How many clients are shown' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand top" -l every -d 'Between two looks' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand top" -l for -d 'End after this long' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand top" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand top" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand top" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand top" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand top" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand top" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand top" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand top" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand top" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand top" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand top" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand top" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand top" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand top" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand top" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand top" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand top" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand top" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand top" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand top" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand top" -l watch -d 'Again and again'
complete -c breakglass -n "__fish_breakglass_using_subcommand top" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand top" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand top" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand top" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand top" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand top" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand top" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand top" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and not __fish_seen_subcommand_from close open confirm status watch" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and not __fish_seen_subcommand_from close open confirm status watch" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and not __fish_seen_subcommand_from close open confirm status watch" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and not __fish_seen_subcommand_from close open confirm status watch" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and not __fish_seen_subcommand_from close open confirm status watch" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and not __fish_seen_subcommand_from close open confirm status watch" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and not __fish_seen_subcommand_from close open confirm status watch" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and not __fish_seen_subcommand_from close open confirm status watch" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and not __fish_seen_subcommand_from close open confirm status watch" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and not __fish_seen_subcommand_from close open confirm status watch" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and not __fish_seen_subcommand_from close open confirm status watch" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and not __fish_seen_subcommand_from close open confirm status watch" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and not __fish_seen_subcommand_from close open confirm status watch" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and not __fish_seen_subcommand_from close open confirm status watch" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and not __fish_seen_subcommand_from close open confirm status watch" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and not __fish_seen_subcommand_from close open confirm status watch" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and not __fish_seen_subcommand_from close open confirm status watch" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and not __fish_seen_subcommand_from close open confirm status watch" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and not __fish_seen_subcommand_from close open confirm status watch" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and not __fish_seen_subcommand_from close open confirm status watch" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and not __fish_seen_subcommand_from close open confirm status watch" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and not __fish_seen_subcommand_from close open confirm status watch" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and not __fish_seen_subcommand_from close open confirm status watch" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and not __fish_seen_subcommand_from close open confirm status watch" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and not __fish_seen_subcommand_from close open confirm status watch" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and not __fish_seen_subcommand_from close open confirm status watch" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and not __fish_seen_subcommand_from close open confirm status watch" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and not __fish_seen_subcommand_from close open confirm status watch" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and not __fish_seen_subcommand_from close open confirm status watch" -f -a "close" -d 'Close the gate: it stands for --confirm-within, and for --for once a new SSH connection has confirmed it'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and not __fish_seen_subcommand_from close open confirm status watch" -f -a "open" -d 'Open the gate stage by stage, each judged by what the API servers answer; a bad one is closed again at once'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and not __fish_seen_subcommand_from close open confirm status watch" -f -a "confirm" -d 'Confirm or extend the gate over a new SSH connection, at the stage it is at'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and not __fish_seen_subcommand_from close open confirm status watch" -f -a "status" -d 'What stands on each host: closed, opening, open; whose it is, and how it goes on by itself'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and not __fish_seen_subcommand_from close open confirm status watch" -f -a "watch" -d 'Who hammers, live: attempts per second, per host and summed over all of them, without an API request'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from close" -l port -d 'A port of the API; may be given several times [default: those that the API servers\' processes name]' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from close" -l allow -d 'An address or prefix that is never stopped; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from close" -l allow-operator -d 'Your own address, where the host does not show it by itself' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from close" -l balancer -d 'A load balancer whose health checks may pass; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from close" -l balancer-rate -d 'New connections a second that all balancers together may open' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from close" -l confirm-within -d 'How long it stands unconfirmed [default: 30s]' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from close" -l for -d 'How long it stands confirmed before it opens by itself, stage by stage [default: 15m]' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from close" -l step -d 'Between two stages when it opens by itself [default: 1m]' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from close" -l stages -d 'The stages of the re-opening: percent of the sources, a number of sources as 5n, connections as 50/s, names of sets [default: 1,5,25,50,100]' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from close" -l set -d 'A named set of addresses for a stage; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from close" -l back-end -d 'By which packet filter [default: what the host has]' -r -f -a "nft\t''
iptables-nft\t''
iptables-legacy\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from close" -l service -d 'With --nodes: an address and port of the API beside those of the kit; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from close" -l source -d 'With --nodes: only what comes from these addresses, the offender\'s pods; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from close" -l cgroup -d 'With --nodes: only what processes of this version 2 control group send' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from close" -l offender -d 'With --nodes: only what the pods of this workload send, as `park` takes it; each node finds its own, without the API' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from close" -l probe-from -d 'A host of the kit that tries the port afterwards, to prove it from outside; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from close" -l targets -d 'Only these hosts, by their names in the kit' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from close" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from close" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from close" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from close" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from close" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from close" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from close" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from close" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from close" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from close" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from close" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from close" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from close" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from close" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from close" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from close" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from close" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from close" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from close" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from close" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from close" -l allow-kubelets -d 'Leave the kubelets through'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from close" -l drop -d 'Answer nothing instead of a reset: clients hang until their time-outs, and all come back at once'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from close" -l ssh-only -d 'Let it stand even if it cuts this run\'s own direct requests to the API: SSH is enough'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from close" -l ipv4-only -d 'Close IPv4 alone where the host\'s iptables has no IPv6 side: clients that have IPv6 go round the gate'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from close" -l nodes -d 'Stop what hosts send to the API instead: for nodes, named by --targets'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from close" -l host-canary -d 'The first host alone before the others; if it cannot be closed, none is'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from close" -l plan -d 'Print what would be sent, and stop: contacts no API server and no host, and runs no plugin of a kubeconfig'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from close" -l drill -d 'Look for real, pretend the writes'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from close" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from close" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from close" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from close" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from close" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from close" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from close" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from close" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from open" -l of -d 'Only the gate of this run [default: whoever\'s]' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from open" -l window -d 'How long all must be well after a stage [default: 20s]' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from open" -l p99 -d 'The slowest small GET that still counts as good [default: 1s]' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from open" -l rejects -d 'The most requests a second that priority and fairness may reject on one API server' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from open" -l memory -d 'The most memory an API server may hold of what it may, and all processes of its host; 100: not looked at [default: 90]' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from open" -l max-tries -d 'How often stages are closed again without getting any further before giving up [default: 4]' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from open" -l offender -d 'Who drowned the API, as `park` takes it: what is left of it is counted at each look, and a stage in which that gets less is left to go on' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from open" -l offender-user -d 'The user whose requests are counted [default: the service account of --offender]' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from open" -l without -d 'An API server that is dead for good: neither asked nor judged; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from open" -l targets -d 'Only these hosts, by their names in the kit, each judged for itself' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from open" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from open" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from open" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from open" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from open" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from open" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from open" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from open" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from open" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from open" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from open" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from open" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from open" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from open" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from open" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from open" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from open" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from open" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from open" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from open" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from open" -l at-once -d 'Let everybody in now, judging nothing'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from open" -l plan -d 'Print what would be sent, and stop: contacts no API server and no host, and runs no plugin of a kubeconfig'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from open" -l drill -d 'Look for real, pretend the writes'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from open" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from open" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from open" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from open" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from open" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from open" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from open" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from open" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from confirm" -l of -d 'Only the gate of this run [default: whoever\'s]' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from confirm" -l for -d 'How long it stands from now on before its next stage comes by itself [default: as long as at first]' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from confirm" -l targets -d 'Only these hosts, by their names in the kit' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from confirm" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from confirm" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from confirm" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from confirm" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from confirm" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from confirm" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from confirm" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from confirm" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from confirm" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from confirm" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from confirm" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from confirm" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from confirm" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from confirm" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from confirm" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from confirm" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from confirm" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from confirm" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from confirm" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from confirm" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from confirm" -l plan -d 'Print what would be sent, and stop: contacts no API server and no host, and runs no plugin of a kubeconfig'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from confirm" -l drill -d 'Look for real, pretend the writes'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from confirm" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from confirm" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from confirm" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from confirm" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from confirm" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from confirm" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from confirm" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from confirm" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from status" -l targets -d 'Only these hosts, by their names in the kit' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from status" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from status" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from status" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from status" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from status" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from status" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from status" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from status" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from status" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from status" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from status" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from status" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from status" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from status" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from status" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from status" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from status" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from status" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from status" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from status" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from status" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from status" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from status" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from status" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from status" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from status" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from status" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from watch" -l every -d 'Between two looks' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from watch" -l for -d 'End after this long' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from watch" -l top -d 'How many sources are shown' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from watch" -l targets -d 'Only these hosts, by their names in the kit' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from watch" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from watch" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from watch" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from watch" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from watch" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from watch" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from watch" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from watch" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from watch" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from watch" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from watch" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from watch" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from watch" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from watch" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from watch" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from watch" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from watch" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from watch" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from watch" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from watch" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from watch" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from watch" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from watch" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from watch" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from watch" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from watch" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from watch" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand gate; and __fish_seen_subcommand_from watch" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_using_subcommand delete" -l uid -d 'The uid it must have; anything else of that name is left alone' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand delete" -l propagation -l cascade -d 'What becomes of what it owns: goes afterwards (background), goes first (foreground), or stays (orphan)' -r -f -a "background\t''
foreground\t''
orphan\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand delete" -l grace -d 'Seconds that a pod gets to end by itself [default: its own]' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand delete" -l gone-within -d 'How long it is waited for until it is gone, its grace apart, before what holds it is said [default: 30s]' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand delete" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand delete" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand delete" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand delete" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand delete" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand delete" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand delete" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand delete" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand delete" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand delete" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand delete" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand delete" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand delete" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand delete" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand delete" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand delete" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand delete" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand delete" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand delete" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand delete" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand delete" -l no-save -d 'Do not read and keep the object first: exactly one request, and no way back'
complete -c breakglass -n "__fish_breakglass_using_subcommand delete" -l accept-data-loss -d 'Do not ask where more goes with it than `undo` can bring back: volumes, what is in a namespace'
complete -c breakglass -n "__fish_breakglass_using_subcommand delete" -l plan -d 'Print what would be sent, and stop: contacts no API server and no host, and runs no plugin of a kubeconfig'
complete -c breakglass -n "__fish_breakglass_using_subcommand delete" -l drill -d 'Look for real, pretend the writes'
complete -c breakglass -n "__fish_breakglass_using_subcommand delete" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand delete" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand delete" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand delete" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand delete" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand delete" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand delete" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand delete" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_using_subcommand remove-finalizers" -l finalizer -d 'This finalizer only; may be repeated [default: all that are on it, but the garbage collector\'s own]' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand remove-finalizers" -l uid -d 'The uid it must have; anything else of that name is left alone' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand remove-finalizers" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand remove-finalizers" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand remove-finalizers" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand remove-finalizers" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand remove-finalizers" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand remove-finalizers" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand remove-finalizers" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand remove-finalizers" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand remove-finalizers" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand remove-finalizers" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand remove-finalizers" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand remove-finalizers" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand remove-finalizers" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand remove-finalizers" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand remove-finalizers" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand remove-finalizers" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand remove-finalizers" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand remove-finalizers" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand remove-finalizers" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand remove-finalizers" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand remove-finalizers" -l before-delete -d 'Also where nobody has deleted the object yet: a later deletion does not wait for them'
complete -c breakglass -n "__fish_breakglass_using_subcommand remove-finalizers" -l plan -d 'Print what would be sent, and stop: contacts no API server and no host, and runs no plugin of a kubeconfig'
complete -c breakglass -n "__fish_breakglass_using_subcommand remove-finalizers" -l drill -d 'Look for real, pretend the writes'
complete -c breakglass -n "__fish_breakglass_using_subcommand remove-finalizers" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand remove-finalizers" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand remove-finalizers" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand remove-finalizers" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand remove-finalizers" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand remove-finalizers" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand remove-finalizers" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand remove-finalizers" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_using_subcommand park" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand park" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand park" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand park" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand park" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand park" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand park" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand park" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand park" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand park" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand park" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand park" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand park" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand park" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand park" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand park" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand park" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand park" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand park" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand park" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand park" -l accept-critical -d 'Of a namespace: do not ask although the cluster itself needs some of it, by the priority of their pods'
complete -c breakglass -n "__fish_breakglass_using_subcommand park" -l plan -d 'Print what would be sent, and stop: contacts no API server and no host, and runs no plugin of a kubeconfig'
complete -c breakglass -n "__fish_breakglass_using_subcommand park" -l drill -d 'Look for real, pretend the writes'
complete -c breakglass -n "__fish_breakglass_using_subcommand park" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand park" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand park" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand park" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand park" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand park" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand park" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand park" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_using_subcommand release" -l stages -d 'The stages, in percent of the nodes (of --replicas); then it comes everywhere [default: 1,5,25,50]' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand release" -l replicas -d 'How many replicas it had, where it has replicas' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand release" -l window -d 'How long all must be well before the next stage [default: 30s]' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand release" -l pods-within -d 'How long the pods of a stage may take to be ready before all of it is taken back [default: 5m]' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand release" -l p99 -d 'The slowest small GET that still counts as good [default: 1s]' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand release" -l rejects -d 'The most requests a second that priority and fairness may reject on one API server [default: not looked at]' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand release" -l memory -d 'The most memory that an API server or its host may use, in percent; 100: not looked at [default: 90]' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand release" -l without -d 'API servers that are neither asked nor judged, by their names in the kit' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand release" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand release" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand release" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand release" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand release" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand release" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand release" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand release" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand release" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand release" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand release" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand release" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand release" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand release" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand release" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand release" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand release" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand release" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand release" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand release" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand release" -l plan -d 'Print what would be sent, and stop: contacts no API server and no host, and runs no plugin of a kubeconfig'
complete -c breakglass -n "__fish_breakglass_using_subcommand release" -l drill -d 'Look for real, pretend the writes'
complete -c breakglass -n "__fish_breakglass_using_subcommand release" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand release" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand release" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand release" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand release" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand release" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand release" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand release" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_using_subcommand rollback" -l to-revision -d 'The number of the revision; the one before the one that it has when it is not said' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand rollback" -l uid -d 'The uid it must have; anything else of that name is left alone' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand rollback" -l wait -d 'How long to wait for its pods to be what the template says; not at all when it is not said' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand rollback" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand rollback" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand rollback" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand rollback" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand rollback" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand rollback" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand rollback" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand rollback" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand rollback" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand rollback" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand rollback" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand rollback" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand rollback" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand rollback" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand rollback" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand rollback" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand rollback" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand rollback" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand rollback" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand rollback" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand rollback" -l accept-critical -d 'Do not ask although the cluster itself needs it: what is in kube-system, or of a system-critical priority'
complete -c breakglass -n "__fish_breakglass_using_subcommand rollback" -l plan -d 'Print what would be sent, and stop: contacts no API server and no host, and runs no plugin of a kubeconfig'
complete -c breakglass -n "__fish_breakglass_using_subcommand rollback" -l drill -d 'Look for real, pretend the writes'
complete -c breakglass -n "__fish_breakglass_using_subcommand rollback" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand rollback" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand rollback" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand rollback" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand rollback" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand rollback" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand rollback" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand rollback" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_using_subcommand end-pods" -l grace -d 'Seconds that the pods get to end by themselves; each pod\'s own value when it is not said' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand end-pods" -s l -l selector -d 'Labels that its pods have and no others, as kubectl takes them; for a workload that is gone already' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand end-pods" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand end-pods" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand end-pods" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand end-pods" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand end-pods" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand end-pods" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand end-pods" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand end-pods" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand end-pods" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand end-pods" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand end-pods" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand end-pods" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand end-pods" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand end-pods" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand end-pods" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand end-pods" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand end-pods" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand end-pods" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand end-pods" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand end-pods" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand end-pods" -l force -d 'By force: the API forgets the pods at once, while their containers run on until their kubelets hear of it'
complete -c breakglass -n "__fish_breakglass_using_subcommand end-pods" -l plan -d 'Print what would be sent, and stop: contacts no API server and no host, and runs no plugin of a kubeconfig'
complete -c breakglass -n "__fish_breakglass_using_subcommand end-pods" -l drill -d 'Look for real, pretend the writes'
complete -c breakglass -n "__fish_breakglass_using_subcommand end-pods" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand end-pods" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand end-pods" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand end-pods" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand end-pods" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand end-pods" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand end-pods" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand end-pods" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-pods" -l for -d 'How long, with nobody to end it [default: 30m]' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-pods" -l targets -d 'On these hosts, by their names in the kit' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-pods" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-pods" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-pods" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-pods" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-pods" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-pods" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-pods" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-pods" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-pods" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-pods" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-pods" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-pods" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-pods" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-pods" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-pods" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-pods" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-pods" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-pods" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-pods" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-pods" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-pods" -l accept-critical -d 'Do not ask although it is in kube-system'
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-pods" -l plan -d 'Print what would be sent, and stop: contacts no API server and no host, and runs no plugin of a kubeconfig'
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-pods" -l drill -d 'Look for real, pretend the writes'
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-pods" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-pods" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-pods" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-pods" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-pods" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-pods" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-pods" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-pods" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke" -l workload -d 'Instead: what the pods of this workload run as (TYPE/NAME with -n, or TYPE/NAMESPACE/NAME)' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke" -l binding -d 'Look at this binding only: clusterrolebinding/NAME or rolebinding/NAMESPACE/NAME; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke" -l at-most -d 'When more bindings than this name it, change nothing [default: 10]' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke" -l plan -d 'Print what would be sent, and stop: contacts no API server and no host, and runs no plugin of a kubeconfig'
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke" -l drill -d 'Look for real, pretend the writes'
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke-tokens" -l uid -d 'The uid it must have; another account of that name is left alone' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke-tokens" -l within -d 'How long it may take until no API server holds a request of it [default: 90s]' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke-tokens" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke-tokens" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke-tokens" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke-tokens" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke-tokens" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke-tokens" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke-tokens" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke-tokens" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke-tokens" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke-tokens" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke-tokens" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke-tokens" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke-tokens" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke-tokens" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke-tokens" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke-tokens" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke-tokens" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke-tokens" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke-tokens" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke-tokens" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke-tokens" -l plan -d 'Print what would be sent, and stop: contacts no API server and no host, and runs no plugin of a kubeconfig'
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke-tokens" -l drill -d 'Look for real, pretend the writes'
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke-tokens" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke-tokens" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke-tokens" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke-tokens" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke-tokens" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke-tokens" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke-tokens" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand revoke-tokens" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_using_subcommand jail" -l verbs -d 'Only requests of these verbs (get, list, watch, create, update, patch, delete, deletecollection)' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand jail" -l resources -d 'Only requests for these (pods, deployments, PLURAL.GROUP)' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand jail" -l within -d 'How long a request of it is looked for that shows whether the jail is in force [default: 15s]' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand jail" -l targets -d 'Only these hosts, by their names in the kit' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand jail" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand jail" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand jail" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand jail" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand jail" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand jail" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand jail" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand jail" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand jail" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand jail" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand jail" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand jail" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand jail" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand jail" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand jail" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand jail" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand jail" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand jail" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand jail" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand jail" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand jail" -l plan -d 'Print what would be sent, and stop: contacts no API server and no host, and runs no plugin of a kubeconfig'
complete -c breakglass -n "__fish_breakglass_using_subcommand jail" -l drill -d 'Look for real, pretend the writes'
complete -c breakglass -n "__fish_breakglass_using_subcommand jail" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand jail" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand jail" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand jail" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand jail" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand jail" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand jail" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand jail" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_using_subcommand throttle" -l verbs -d 'Only requests of these verbs (get, list, watch, create, update, patch, delete, deletecollection)' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand throttle" -l resources -d 'Only requests for these (pods, deployments, PLURAL.GROUP)' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand throttle" -l within -d 'How long the API servers may take to heed it [default: 60s]' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand throttle" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand throttle" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand throttle" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand throttle" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand throttle" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand throttle" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand throttle" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand throttle" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand throttle" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand throttle" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand throttle" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand throttle" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand throttle" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand throttle" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand throttle" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand throttle" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand throttle" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand throttle" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand throttle" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand throttle" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand throttle" -l plan -d 'Print what would be sent, and stop: contacts no API server and no host, and runs no plugin of a kubeconfig'
complete -c breakglass -n "__fish_breakglass_using_subcommand throttle" -l drill -d 'Look for real, pretend the writes'
complete -c breakglass -n "__fish_breakglass_using_subcommand throttle" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand throttle" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand throttle" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand throttle" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand throttle" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand throttle" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand throttle" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand throttle" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_using_subcommand restore-rights" -l binding -d 'The ClusterRoleBinding; without it kubeadm:cluster-admins, and with it cluster-admin' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand restore-rights" -l role -d 'The ClusterRole that it gives [default: cluster-admin]' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand restore-rights" -l group -d 'A group that it has to name; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand restore-rights" -l user -d 'A user that it has to name, or system:serviceaccount:NAMESPACE:NAME; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand restore-rights" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand restore-rights" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand restore-rights" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand restore-rights" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand restore-rights" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand restore-rights" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand restore-rights" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand restore-rights" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand restore-rights" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand restore-rights" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand restore-rights" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand restore-rights" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand restore-rights" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand restore-rights" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand restore-rights" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand restore-rights" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand restore-rights" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand restore-rights" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand restore-rights" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand restore-rights" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand restore-rights" -l plan -d 'Print what would be sent, and stop: contacts no API server and no host, and runs no plugin of a kubeconfig'
complete -c breakglass -n "__fish_breakglass_using_subcommand restore-rights" -l drill -d 'Look for real, pretend the writes'
complete -c breakglass -n "__fish_breakglass_using_subcommand restore-rights" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand restore-rights" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand restore-rights" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand restore-rights" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand restore-rights" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand restore-rights" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand restore-rights" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand restore-rights" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_using_subcommand disarm" -l webhook -d 'Only this webhook, by its own name as a refusal quotes it' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand disarm" -l exclude-namespace -d 'Leave its failurePolicy, and do not have it asked about this namespace; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand disarm" -l at-most -d 'When more configurations than this have webhooks that cannot answer, change nothing [default: 10]' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand disarm" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand disarm" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand disarm" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand disarm" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand disarm" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand disarm" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand disarm" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand disarm" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand disarm" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand disarm" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand disarm" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand disarm" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand disarm" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand disarm" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand disarm" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand disarm" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand disarm" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand disarm" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand disarm" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand disarm" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand disarm" -l delete -d 'Save the whole object and delete it'
complete -c breakglass -n "__fish_breakglass_using_subcommand disarm" -l conversions -d 'Look at the conversion webhooks of custom resources, too; they are only told'
complete -c breakglass -n "__fish_breakglass_using_subcommand disarm" -l plan -d 'Print what would be sent, and stop: contacts no API server and no host, and runs no plugin of a kubeconfig'
complete -c breakglass -n "__fish_breakglass_using_subcommand disarm" -l drill -d 'Look for real, pretend the writes'
complete -c breakglass -n "__fish_breakglass_using_subcommand disarm" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand disarm" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand disarm" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand disarm" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand disarm" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand disarm" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand disarm" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand disarm" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-automation" -l all -d 'In place of an object: all of the cluster' -r -f -a "argo-cd\t'Argo CD: Applications, and the ApplicationSets that make them'
flux\t'Flux: Kustomizations and HelmReleases'"
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-automation" -l at-most -d 'With --all: when more objects than this would be changed, change nothing [default: 200]' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-automation" -l argocd-namespace -d 'The namespace of Argo CD, where an Application is looked for that is named without one [default: argocd]' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-automation" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-automation" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-automation" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-automation" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-automation" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-automation" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-automation" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-automation" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-automation" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-automation" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-automation" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-automation" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-automation" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-automation" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-automation" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-automation" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-automation" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-automation" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-automation" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-automation" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-automation" -l plan -d 'Print what would be sent, and stop: contacts no API server and no host, and runs no plugin of a kubeconfig'
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-automation" -l drill -d 'Look for real, pretend the writes'
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-automation" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-automation" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-automation" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-automation" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-automation" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-automation" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-automation" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand freeze-automation" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_using_subcommand thaw-automation" -l all -d 'In place of an object: all of the cluster' -r -f -a "argo-cd\t'Argo CD: Applications, and the ApplicationSets that make them'
flux\t'Flux: Kustomizations and HelmReleases'"
complete -c breakglass -n "__fish_breakglass_using_subcommand thaw-automation" -l at-most -d 'With --all: when more objects than this would be changed, change nothing [default: 200]' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand thaw-automation" -l argocd-namespace -d 'The namespace of Argo CD, where an Application is looked for that is named without one [default: argocd]' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand thaw-automation" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand thaw-automation" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand thaw-automation" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand thaw-automation" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand thaw-automation" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand thaw-automation" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand thaw-automation" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand thaw-automation" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand thaw-automation" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand thaw-automation" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand thaw-automation" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand thaw-automation" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand thaw-automation" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand thaw-automation" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand thaw-automation" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand thaw-automation" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand thaw-automation" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand thaw-automation" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand thaw-automation" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand thaw-automation" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand thaw-automation" -l plan -d 'Print what would be sent, and stop: contacts no API server and no host, and runs no plugin of a kubeconfig'
complete -c breakglass -n "__fish_breakglass_using_subcommand thaw-automation" -l drill -d 'Look for real, pretend the writes'
complete -c breakglass -n "__fish_breakglass_using_subcommand thaw-automation" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand thaw-automation" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand thaw-automation" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand thaw-automation" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand thaw-automation" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand thaw-automation" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand thaw-automation" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand thaw-automation" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_using_subcommand refuse-return" -l lasts -d 'For how long [default: 1d]' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand refuse-return" -l ask -d 'Whom to ask, for whoever is refused to read [default: who runs this]' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand refuse-return" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand refuse-return" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand refuse-return" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand refuse-return" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand refuse-return" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand refuse-return" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand refuse-return" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand refuse-return" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand refuse-return" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand refuse-return" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand refuse-return" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand refuse-return" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand refuse-return" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand refuse-return" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand refuse-return" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand refuse-return" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand refuse-return" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand refuse-return" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand refuse-return" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand refuse-return" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand refuse-return" -l plan -d 'Print what would be sent, and stop: contacts no API server and no host, and runs no plugin of a kubeconfig'
complete -c breakglass -n "__fish_breakglass_using_subcommand refuse-return" -l drill -d 'Look for real, pretend the writes'
complete -c breakglass -n "__fish_breakglass_using_subcommand refuse-return" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand refuse-return" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand refuse-return" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand refuse-return" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand refuse-return" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand refuse-return" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand refuse-return" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand refuse-return" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_using_subcommand probe" -l require -d 'What must be found of every API server; otherwise it ends with an exit code. Without it, that one of them answers' -r -f -a "nothing\t''
answers\t''
healthy\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand probe" -l at-least -d 'Of how many API servers of a cluster `--require` must be found: all, any, or a number' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand probe" -l targets -d 'Only these API servers, by their names in the kit' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand probe" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand probe" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand probe" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand probe" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand probe" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand probe" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand probe" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand probe" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand probe" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand probe" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand probe" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand probe" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand probe" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand probe" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand probe" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand probe" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand probe" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand probe" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand probe" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand probe" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand probe" -l plan -d 'Print what would be sent, and stop: contacts no API server and no host, and runs no plugin of a kubeconfig'
complete -c breakglass -n "__fish_breakglass_using_subcommand probe" -l drill -d 'Look for real, pretend the writes'
complete -c breakglass -n "__fish_breakglass_using_subcommand probe" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand probe" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand probe" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand probe" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand probe" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand probe" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand probe" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand probe" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_using_subcommand access" -l group -d 'Of this group instead, with the rights that the cluster\'s bindings give it' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand access" -l for -d 'How long such a certificate is good [default: 1h]' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand access" -l write-kubeconfig -d 'Write a kubeconfig with that credential to a new file that only its owner may read: it is a secret' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand access" -l targets -d 'Only these hosts, by their names in the kit, in this order' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand access" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand access" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand access" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand access" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand access" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand access" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand access" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand access" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand access" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand access" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand access" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand access" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand access" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand access" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand access" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand access" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand access" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand access" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand access" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand access" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand access" -l mint -d 'Have a new client certificate of system:masters signed by the cluster\'s CA on its host'
complete -c breakglass -n "__fish_breakglass_using_subcommand access" -l plan -d 'Print what would be sent, and stop: contacts no API server and no host, and runs no plugin of a kubeconfig'
complete -c breakglass -n "__fish_breakglass_using_subcommand access" -l drill -d 'Look for real, pretend the writes'
complete -c breakglass -n "__fish_breakglass_using_subcommand access" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand access" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand access" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand access" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand access" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand access" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand access" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand access" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and not __fish_seen_subcommand_from start status stop" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and not __fish_seen_subcommand_from start status stop" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and not __fish_seen_subcommand_from start status stop" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and not __fish_seen_subcommand_from start status stop" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and not __fish_seen_subcommand_from start status stop" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and not __fish_seen_subcommand_from start status stop" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and not __fish_seen_subcommand_from start status stop" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and not __fish_seen_subcommand_from start status stop" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and not __fish_seen_subcommand_from start status stop" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and not __fish_seen_subcommand_from start status stop" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and not __fish_seen_subcommand_from start status stop" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and not __fish_seen_subcommand_from start status stop" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and not __fish_seen_subcommand_from start status stop" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and not __fish_seen_subcommand_from start status stop" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and not __fish_seen_subcommand_from start status stop" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and not __fish_seen_subcommand_from start status stop" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and not __fish_seen_subcommand_from start status stop" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and not __fish_seen_subcommand_from start status stop" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and not __fish_seen_subcommand_from start status stop" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and not __fish_seen_subcommand_from start status stop" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and not __fish_seen_subcommand_from start status stop" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and not __fish_seen_subcommand_from start status stop" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and not __fish_seen_subcommand_from start status stop" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and not __fish_seen_subcommand_from start status stop" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and not __fish_seen_subcommand_from start status stop" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and not __fish_seen_subcommand_from start status stop" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and not __fish_seen_subcommand_from start status stop" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and not __fish_seen_subcommand_from start status stop" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and not __fish_seen_subcommand_from start status stop" -f -a "start" -d 'Start one on the first control-plane host that can; where one stands, let it be there longer'
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and not __fish_seen_subcommand_from start status stop" -f -a "status" -d 'What stands on each control-plane host: its port, whose it is, how long it is there yet, its memory and its requests'
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and not __fish_seen_subcommand_from start status stop" -f -a "stop" -d 'End it before its time, whoever started it'
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from start" -l for -d 'How long it is there, with nobody to end it [default: 15m]' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from start" -l port -d 'Its port on the host\'s loopback [default: the first free one from 16443 on]' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from start" -l set -d 'A flag of kube-apiserver that is set, without its dashes; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from start" -l unset -d 'A flag of the host\'s API server that is left out, without its dashes; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from start" -l write-kubeconfig -d 'Write a kubeconfig with that credential to a new file that only its owner may read: it is a secret' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from start" -l program -d 'A file of the host that is the program [default: that of the running process, else out of the image store]' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from start" -l targets -d 'Only these hosts, by their names in the kit, in this order' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from start" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from start" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from start" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from start" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from start" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from start" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from start" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from start" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from start" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from start" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from start" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from start" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from start" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from start" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from start" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from start" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from start" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from start" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from start" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from start" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from start" -l without-webhooks -d 'Admission webhooks have no say there'
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from start" -l mint -d 'Have it know us by a client certificate of system:masters that is made here and good there alone'
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from start" -l plan -d 'Print what would be sent, and stop: contacts no API server and no host, and runs no plugin of a kubeconfig'
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from start" -l drill -d 'Look for real, pretend the writes'
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from start" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from start" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from start" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from start" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from start" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from start" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from start" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from start" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from status" -l targets -d 'Only these hosts, by their names in the kit' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from status" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from status" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from status" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from status" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from status" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from status" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from status" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from status" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from status" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from status" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from status" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from status" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from status" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from status" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from status" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from status" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from status" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from status" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from status" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from status" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from status" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from status" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from status" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from status" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from status" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from status" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from status" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from stop" -l of -d 'Only that of this run [default: whoever\'s]' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from stop" -l targets -d 'Only on these hosts, by their names in the kit' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from stop" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from stop" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from stop" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from stop" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from stop" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from stop" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from stop" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from stop" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from stop" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from stop" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from stop" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from stop" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from stop" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from stop" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from stop" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from stop" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from stop" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from stop" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from stop" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from stop" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from stop" -l plan -d 'Print what would be sent, and stop: contacts no API server and no host, and runs no plugin of a kubeconfig'
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from stop" -l drill -d 'Look for real, pretend the writes'
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from stop" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from stop" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from stop" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from stop" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from stop" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from stop" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from stop" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand recovery-apiserver; and __fish_seen_subcommand_from stop" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_using_subcommand rescue-manifest" -l stray -d 'The file to move out of the manifests\' folder, by its path or name; only needed where it cannot be told which one is the stray' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand rescue-manifest" -l from -d 'Another text of the manifest: `kit` for what `kit refresh` kept, or a file of the host. It is put in the place of the one that keeps it down, or that is gone' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand rescue-manifest" -l targets -d 'Only these hosts, by their names in the kit' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand rescue-manifest" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand rescue-manifest" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand rescue-manifest" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand rescue-manifest" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand rescue-manifest" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand rescue-manifest" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand rescue-manifest" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand rescue-manifest" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand rescue-manifest" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand rescue-manifest" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand rescue-manifest" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand rescue-manifest" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand rescue-manifest" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand rescue-manifest" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand rescue-manifest" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand rescue-manifest" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand rescue-manifest" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand rescue-manifest" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand rescue-manifest" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand rescue-manifest" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand rescue-manifest" -l plan -d 'Print what would be sent, and stop: contacts no API server and no host, and runs no plugin of a kubeconfig'
complete -c breakglass -n "__fish_breakglass_using_subcommand rescue-manifest" -l drill -d 'Look for real, pretend the writes'
complete -c breakglass -n "__fish_breakglass_using_subcommand rescue-manifest" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand rescue-manifest" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand rescue-manifest" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand rescue-manifest" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand rescue-manifest" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand rescue-manifest" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand rescue-manifest" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand rescue-manifest" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_using_subcommand renew-certificates" -l within -d 'What ends within this time is renewed with what has ended [default: 1d]' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand renew-certificates" -l targets -d 'Only these hosts, by their names in the kit' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand renew-certificates" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand renew-certificates" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand renew-certificates" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand renew-certificates" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand renew-certificates" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand renew-certificates" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand renew-certificates" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand renew-certificates" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand renew-certificates" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand renew-certificates" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand renew-certificates" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand renew-certificates" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand renew-certificates" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand renew-certificates" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand renew-certificates" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand renew-certificates" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand renew-certificates" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand renew-certificates" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand renew-certificates" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand renew-certificates" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand renew-certificates" -l ca -d 'CAs that have ended are signed anew by their own keys, too'
complete -c breakglass -n "__fish_breakglass_using_subcommand renew-certificates" -l plan -d 'Print what would be sent, and stop: contacts no API server and no host, and runs no plugin of a kubeconfig'
complete -c breakglass -n "__fish_breakglass_using_subcommand renew-certificates" -l drill -d 'Look for real, pretend the writes'
complete -c breakglass -n "__fish_breakglass_using_subcommand renew-certificates" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand renew-certificates" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand renew-certificates" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand renew-certificates" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand renew-certificates" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand renew-certificates" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand renew-certificates" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand renew-certificates" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_using_subcommand scale-apiserver" -l limit -d 'A resource limit; NAME- removes it' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand scale-apiserver" -l request -d 'A resource request; NAME- removes it' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand scale-apiserver" -l flag -d 'A flag of kube-apiserver, without its dashes; NAME- removes it' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand scale-apiserver" -l targets -d 'Only these hosts, by their names in the kit' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand scale-apiserver" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand scale-apiserver" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand scale-apiserver" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand scale-apiserver" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand scale-apiserver" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand scale-apiserver" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand scale-apiserver" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand scale-apiserver" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand scale-apiserver" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand scale-apiserver" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand scale-apiserver" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand scale-apiserver" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand scale-apiserver" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand scale-apiserver" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand scale-apiserver" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand scale-apiserver" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand scale-apiserver" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand scale-apiserver" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand scale-apiserver" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand scale-apiserver" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand scale-apiserver" -l plan -d 'Print what would be sent, and stop: contacts no API server and no host, and runs no plugin of a kubeconfig'
complete -c breakglass -n "__fish_breakglass_using_subcommand scale-apiserver" -l drill -d 'Look for real, pretend the writes'
complete -c breakglass -n "__fish_breakglass_using_subcommand scale-apiserver" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand scale-apiserver" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand scale-apiserver" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand scale-apiserver" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand scale-apiserver" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand scale-apiserver" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand scale-apiserver" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand scale-apiserver" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and not __fish_seen_subcommand_from authorization-config" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and not __fish_seen_subcommand_from authorization-config" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and not __fish_seen_subcommand_from authorization-config" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and not __fish_seen_subcommand_from authorization-config" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and not __fish_seen_subcommand_from authorization-config" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and not __fish_seen_subcommand_from authorization-config" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and not __fish_seen_subcommand_from authorization-config" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and not __fish_seen_subcommand_from authorization-config" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and not __fish_seen_subcommand_from authorization-config" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and not __fish_seen_subcommand_from authorization-config" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and not __fish_seen_subcommand_from authorization-config" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and not __fish_seen_subcommand_from authorization-config" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and not __fish_seen_subcommand_from authorization-config" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and not __fish_seen_subcommand_from authorization-config" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and not __fish_seen_subcommand_from authorization-config" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and not __fish_seen_subcommand_from authorization-config" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and not __fish_seen_subcommand_from authorization-config" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and not __fish_seen_subcommand_from authorization-config" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and not __fish_seen_subcommand_from authorization-config" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and not __fish_seen_subcommand_from authorization-config" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and not __fish_seen_subcommand_from authorization-config" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and not __fish_seen_subcommand_from authorization-config" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and not __fish_seen_subcommand_from authorization-config" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and not __fish_seen_subcommand_from authorization-config" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and not __fish_seen_subcommand_from authorization-config" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and not __fish_seen_subcommand_from authorization-config" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and not __fish_seen_subcommand_from authorization-config" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and not __fish_seen_subcommand_from authorization-config" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and not __fish_seen_subcommand_from authorization-config" -f -a "authorization-config" -d 'Have API servers read their authorizers from a file, one restart each, so that `jail` works at once; `undo` goes back'
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and __fish_seen_subcommand_from authorization-config" -l file -d 'The file [default: /etc/kubernetes/authorization/config.yaml]' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and __fish_seen_subcommand_from authorization-config" -l targets -d 'Only these hosts, by their names in the kit' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and __fish_seen_subcommand_from authorization-config" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and __fish_seen_subcommand_from authorization-config" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and __fish_seen_subcommand_from authorization-config" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and __fish_seen_subcommand_from authorization-config" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and __fish_seen_subcommand_from authorization-config" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and __fish_seen_subcommand_from authorization-config" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and __fish_seen_subcommand_from authorization-config" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and __fish_seen_subcommand_from authorization-config" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and __fish_seen_subcommand_from authorization-config" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and __fish_seen_subcommand_from authorization-config" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and __fish_seen_subcommand_from authorization-config" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and __fish_seen_subcommand_from authorization-config" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and __fish_seen_subcommand_from authorization-config" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and __fish_seen_subcommand_from authorization-config" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and __fish_seen_subcommand_from authorization-config" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and __fish_seen_subcommand_from authorization-config" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and __fish_seen_subcommand_from authorization-config" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and __fish_seen_subcommand_from authorization-config" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and __fish_seen_subcommand_from authorization-config" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and __fish_seen_subcommand_from authorization-config" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and __fish_seen_subcommand_from authorization-config" -l plan -d 'Print what would be sent, and stop: contacts no API server and no host, and runs no plugin of a kubeconfig'
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and __fish_seen_subcommand_from authorization-config" -l drill -d 'Look for real, pretend the writes'
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and __fish_seen_subcommand_from authorization-config" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and __fish_seen_subcommand_from authorization-config" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and __fish_seen_subcommand_from authorization-config" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and __fish_seen_subcommand_from authorization-config" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and __fish_seen_subcommand_from authorization-config" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and __fish_seen_subcommand_from authorization-config" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and __fish_seen_subcommand_from authorization-config" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand prepare; and __fish_seen_subcommand_from authorization-config" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and not __fish_seen_subcommand_from import list check refresh" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and not __fish_seen_subcommand_from import list check refresh" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and not __fish_seen_subcommand_from import list check refresh" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and not __fish_seen_subcommand_from import list check refresh" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and not __fish_seen_subcommand_from import list check refresh" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and not __fish_seen_subcommand_from import list check refresh" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and not __fish_seen_subcommand_from import list check refresh" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and not __fish_seen_subcommand_from import list check refresh" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and not __fish_seen_subcommand_from import list check refresh" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and not __fish_seen_subcommand_from import list check refresh" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and not __fish_seen_subcommand_from import list check refresh" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and not __fish_seen_subcommand_from import list check refresh" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and not __fish_seen_subcommand_from import list check refresh" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and not __fish_seen_subcommand_from import list check refresh" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and not __fish_seen_subcommand_from import list check refresh" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and not __fish_seen_subcommand_from import list check refresh" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and not __fish_seen_subcommand_from import list check refresh" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and not __fish_seen_subcommand_from import list check refresh" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and not __fish_seen_subcommand_from import list check refresh" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and not __fish_seen_subcommand_from import list check refresh" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and not __fish_seen_subcommand_from import list check refresh" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and not __fish_seen_subcommand_from import list check refresh" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and not __fish_seen_subcommand_from import list check refresh" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and not __fish_seen_subcommand_from import list check refresh" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and not __fish_seen_subcommand_from import list check refresh" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and not __fish_seen_subcommand_from import list check refresh" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and not __fish_seen_subcommand_from import list check refresh" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and not __fish_seen_subcommand_from import list check refresh" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and not __fish_seen_subcommand_from import list check refresh" -f -a "import" -d 'Make a file of the kit from what kubectl\'s and SSH\'s configurations say today, so that an incident needs neither'
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and not __fish_seen_subcommand_from import list check refresh" -f -a "list" -d 'List the clusters of the kit by name'
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and not __fish_seen_subcommand_from import list check refresh" -f -a "check" -d 'Read every file of the kit and say what is wrong with it: addresses, keys, what ends, how one would get in'
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and not __fish_seen_subcommand_from import list check refresh" -f -a "refresh" -d 'Keep the manifests that the control plane answers with, beside the kit\'s file'
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from import" -l host -d 'A host; may be given several times. A name of `ssh_config`, or NAME=ADDRESS[:PORT][,user=NAME][,identity=FILE][,jump=HOST][,role=control-plane|node][,sudo]' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from import" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from import" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from import" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from import" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from import" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from import" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from import" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from import" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from import" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from import" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from import" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from import" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from import" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from import" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from import" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from import" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from import" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from import" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from import" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from import" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from import" -l replace -d 'Write the cluster\'s file anew. Without --host its hosts stay; the file before is kept as NAME.yaml~'
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from import" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from import" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from import" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from import" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from import" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from import" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from import" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from import" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from list" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from list" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from list" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from list" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from list" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from list" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from list" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from list" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from list" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from list" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from list" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from list" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from list" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from list" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from list" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from list" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from list" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from list" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from list" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from list" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from list" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from list" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from list" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from list" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from list" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from list" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from check" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from check" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from check" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from check" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from check" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from check" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from check" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from check" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from check" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from check" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from check" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from check" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from check" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from check" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from check" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from check" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from check" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from check" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from check" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from check" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from check" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from check" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from check" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from check" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from check" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from check" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from check" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from refresh" -l targets -d 'Only these hosts, by their names in the kit [default: those of the API servers]' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from refresh" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from refresh" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from refresh" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from refresh" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from refresh" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from refresh" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from refresh" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from refresh" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from refresh" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from refresh" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from refresh" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from refresh" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from refresh" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from refresh" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from refresh" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from refresh" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from refresh" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from refresh" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from refresh" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from refresh" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from refresh" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from refresh" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from refresh" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from refresh" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from refresh" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from refresh" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from refresh" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand kit; and __fish_seen_subcommand_from refresh" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and not __fish_seen_subcommand_from list show check schema" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and not __fish_seen_subcommand_from list show check schema" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and not __fish_seen_subcommand_from list show check schema" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and not __fish_seen_subcommand_from list show check schema" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and not __fish_seen_subcommand_from list show check schema" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and not __fish_seen_subcommand_from list show check schema" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and not __fish_seen_subcommand_from list show check schema" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and not __fish_seen_subcommand_from list show check schema" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and not __fish_seen_subcommand_from list show check schema" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and not __fish_seen_subcommand_from list show check schema" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and not __fish_seen_subcommand_from list show check schema" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and not __fish_seen_subcommand_from list show check schema" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and not __fish_seen_subcommand_from list show check schema" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and not __fish_seen_subcommand_from list show check schema" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and not __fish_seen_subcommand_from list show check schema" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and not __fish_seen_subcommand_from list show check schema" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and not __fish_seen_subcommand_from list show check schema" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and not __fish_seen_subcommand_from list show check schema" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and not __fish_seen_subcommand_from list show check schema" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and not __fish_seen_subcommand_from list show check schema" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and not __fish_seen_subcommand_from list show check schema" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and not __fish_seen_subcommand_from list show check schema" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and not __fish_seen_subcommand_from list show check schema" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and not __fish_seen_subcommand_from list show check schema" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and not __fish_seen_subcommand_from list show check schema" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and not __fish_seen_subcommand_from list show check schema" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and not __fish_seen_subcommand_from list show check schema" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and not __fish_seen_subcommand_from list show check schema" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and not __fish_seen_subcommand_from list show check schema" -f -a "list" -d 'List the runbooks inside the binary'
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and not __fish_seen_subcommand_from list show check schema" -f -a "show" -d 'Print a runbook with its parameters'
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and not __fish_seen_subcommand_from list show check schema" -f -a "check" -d 'Read a runbook and say everything that is wrong with it, each with line and column'
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and not __fish_seen_subcommand_from list show check schema" -f -a "schema" -d 'Print the JSON Schema of runbooks, for editors'
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from list" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from list" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from list" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from list" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from list" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from list" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from list" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from list" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from list" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from list" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from list" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from list" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from list" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from list" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from list" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from list" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from list" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from list" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from list" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from list" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from list" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from list" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from list" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from list" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from list" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from list" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from show" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from show" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from show" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from show" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from show" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from show" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from show" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from show" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from show" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from show" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from show" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from show" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from show" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from show" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from show" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from show" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from show" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from show" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from show" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from show" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from show" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from show" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from show" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from show" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from show" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from show" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from check" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from check" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from check" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from check" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from check" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from check" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from check" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from check" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from check" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from check" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from check" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from check" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from check" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from check" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from check" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from check" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from check" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from check" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from check" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from check" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from check" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from check" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from check" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from check" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from check" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from check" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from check" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from schema" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from schema" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from schema" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from schema" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from schema" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from schema" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from schema" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from schema" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from schema" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from schema" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from schema" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from schema" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from schema" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from schema" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from schema" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from schema" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from schema" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from schema" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from schema" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from schema" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from schema" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from schema" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from schema" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from schema" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from schema" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from schema" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from schema" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand runbook; and __fish_seen_subcommand_from schema" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_using_subcommand sandbox" -l for -d 'End after this long, like 30m' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand sandbox" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand sandbox" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand sandbox" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand sandbox" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand sandbox" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand sandbox" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand sandbox" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand sandbox" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand sandbox" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand sandbox" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand sandbox" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand sandbox" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand sandbox" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand sandbox" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand sandbox" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand sandbox" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand sandbox" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand sandbox" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand sandbox" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand sandbox" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand sandbox" -l peace -d 'Begin on a quiet day, for drills: everything answers'
complete -c breakglass -n "__fish_breakglass_using_subcommand sandbox" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand sandbox" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand sandbox" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand sandbox" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand sandbox" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand sandbox" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand sandbox" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand sandbox" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_using_subcommand steps" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand steps" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand steps" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand steps" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand steps" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand steps" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand steps" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand steps" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand steps" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand steps" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand steps" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand steps" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand steps" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand steps" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand steps" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand steps" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand steps" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand steps" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand steps" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand steps" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand steps" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand steps" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand steps" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand steps" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand steps" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand steps" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand steps" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand steps" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_using_subcommand options" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand options" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand options" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand options" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand options" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand options" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand options" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand options" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand options" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand options" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand options" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand options" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand options" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand options" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand options" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand options" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand options" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand options" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand options" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand options" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand options" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand options" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand options" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand options" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand options" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand options" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand options" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand options" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c breakglass -n "__fish_breakglass_using_subcommand completions" -l kit -d 'The kit\'s folder [default: ~/.config/breakglass/kit]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand completions" -l cluster -d 'A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand completions" -l kubeconfig -d 'The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config]' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand completions" -l context -d 'The context of the kubeconfig' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand completions" -s s -l server -d 'The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand completions" -l tls-server-name -d 'The name its certificate is verified against' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand completions" -l certificate-authority -d 'The certificates it is verified with, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand completions" -l client-certificate -d 'Our certificate, PEM' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand completions" -l client-key -d 'The key of our certificate, PEM; only its owner may be able to read it' -r -F
complete -c breakglass -n "__fish_breakglass_using_subcommand completions" -l token -d 'Our bearer token. A flag is seen by everybody on the machine: rather set the variable' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand completions" -s n -l namespace -d 'The namespace of the object that a verb names' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand completions" -l request-timeout -d 'The longest that one step waits, like 90s or 5m; a bare number is seconds' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand completions" -l via -d 'Reach the API server through SSH to this host, on the host\'s loopback: HOST or CLUSTER/HOST of the kit, or a name of `ssh_config` that the kit does not have' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand completions" -l reason -d 'Why this is done; stands in the journal and in the marks left on hosts' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand completions" -l consent -d 'With --yes: a word that a question wants typed (a runbook\'s `typedConsent`, or a step before what cannot be taken back), which --yes alone does not answer; may be given several times' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand completions" -l fanout -d 'At most this many clusters at a time' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand completions" -l batch -d 'After the canary, clusters in groups of this many, each done before the next begins; 0 is one group' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand completions" -l max-failures -d 'Begin no new cluster once this many have failed' -r
complete -c breakglass -n "__fish_breakglass_using_subcommand completions" -s o -l output -d '`json`: one object a line, for machines' -r -f -a "text\t''
json\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand completions" -l color -d 'When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too' -r -f -a "auto\t''
always\t''
never\t''"
complete -c breakglass -n "__fish_breakglass_using_subcommand completions" -l sandbox -d 'Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them'
complete -c breakglass -n "__fish_breakglass_using_subcommand completions" -l recovery -d 'Look for recovery API servers on the control-plane hosts first, and send requests to them before all others'
complete -c breakglass -n "__fish_breakglass_using_subcommand completions" -l access -d 'Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own'
complete -c breakglass -n "__fish_breakglass_using_subcommand completions" -s y -l yes -d 'Yes to the plan and to every question that a runbook lets a script answer'
complete -c breakglass -n "__fish_breakglass_using_subcommand completions" -l canary -d 'The first cluster alone, through all its steps, before the others (this is the default)'
complete -c breakglass -n "__fish_breakglass_using_subcommand completions" -l no-canary -d 'All clusters from the beginning'
complete -c breakglass -n "__fish_breakglass_using_subcommand completions" -s v -l verbose -d 'Say all that is sent and done, host by host, and every attempt'
complete -c breakglass -n "__fish_breakglass_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
